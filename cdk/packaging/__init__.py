"""Packaging without Docker: slices of the repository, and locked dependencies for other machines."""
