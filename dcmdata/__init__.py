"""Small synthetic DICOM studies to send, and the program that made them (see README.md beside this file)."""
