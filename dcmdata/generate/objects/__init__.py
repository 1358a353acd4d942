"""What every DICOM object has: patients and studies, UIDs, header modules, pixels, the file."""
