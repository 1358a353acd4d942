"""AWS on one machine: moto, and our Lambda service in front of it."""
