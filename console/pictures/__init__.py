"""Frames and pixels."""
