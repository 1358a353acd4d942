"""One start for many series: a migration and a hospital's day, on real PostgreSQL and a simulated clock."""
