"""Audit, reclaim."""
