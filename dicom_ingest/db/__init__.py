"""The index in PostgreSQL: the only place where SQL stands."""
