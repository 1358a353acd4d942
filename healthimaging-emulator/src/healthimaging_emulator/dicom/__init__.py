"""A DICOM file as HealthImaging sees it."""
