"""Verbs that add up what was sent, over days."""
