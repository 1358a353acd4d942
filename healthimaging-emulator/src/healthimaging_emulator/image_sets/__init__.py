"""The operations on image sets: read, search, update, copy, delete."""
