"""The main job: its progress, report, files and tables."""
