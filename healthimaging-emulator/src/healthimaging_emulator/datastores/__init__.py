"""The operations on data stores and tags."""
