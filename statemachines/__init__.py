"""The workflow's definition and what can be read off it."""
