"""Pages and pictures that are made from the code: `make docs` writes them, a test compares them.

A room of its own: it may read every other one. What it draws with (`pictures.svg`) reads none.
"""
