"""Uploads to a server that only drains: the edge's way and boto3's."""
