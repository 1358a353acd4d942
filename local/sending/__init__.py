"""A folder of DICOM files, and a sender."""
