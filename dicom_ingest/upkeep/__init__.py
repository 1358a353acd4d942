"""Audit, reprocess, reclaim."""
