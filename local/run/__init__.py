"""A run: its options, names and folder."""
