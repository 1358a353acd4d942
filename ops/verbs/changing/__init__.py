"""Verbs that change something, and write down who did it."""
