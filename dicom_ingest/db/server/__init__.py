"""Connection, migrations, users."""
