"""Storage commitment: what was requested, and the report."""
