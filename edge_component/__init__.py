"""The edge: a DICOM storage SCP that keeps what it acknowledged, uploads it and announces complete series.

Three owners share one journal: the receiver writes and answers, the assembler decides which transfer an
instance belongs to and when a series is complete, the uploader sends and announces.
"""

VERSION = "0.2.0"
"""Reported in every heartbeat."""
