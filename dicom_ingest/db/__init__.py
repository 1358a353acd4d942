"""The index in PostgreSQL: the only place with SQL."""
