"""Instances on disk: segments, receipts, the folder, and its recovery at start."""
