"""OHIF, a full DICOM viewer, on the emulator's DICOMweb."""
