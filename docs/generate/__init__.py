"""Pages and pictures that are made from the code: `make docs` writes them, a test compares them.

A room of its own: it reads every other one, and none reads it.
"""
