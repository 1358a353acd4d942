"""The same pipeline on one machine, with no cloud account."""
