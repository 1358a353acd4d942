"""Read models: a statement runner in, rows out."""
