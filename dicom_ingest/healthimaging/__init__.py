"""HealthImaging in our words: start an import, poll it, read its results."""
