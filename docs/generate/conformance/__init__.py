"""The edge's DICOM Conformance Statement (PS3.2): prose in `statement.md`, facts from the code."""
