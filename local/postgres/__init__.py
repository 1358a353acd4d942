"""The PostgreSQL server and the databases on it."""
