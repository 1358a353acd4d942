"""HTML as calls, values as a person reads them, and what every page has."""
