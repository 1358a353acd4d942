"""Clients of the stand-ins and of the edge."""
