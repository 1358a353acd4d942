"""What crosses walls: events, manifest, step messages, S3 keys, identifiers, configuration.

Imports pydantic, PyYAML and the standard library only, and runs on Python 3.10, because the edge carries it.
"""
