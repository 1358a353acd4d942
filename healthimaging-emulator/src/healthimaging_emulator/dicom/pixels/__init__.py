"""Frames: decoded, encoded as HealthImaging stores them, and in their boxes."""
