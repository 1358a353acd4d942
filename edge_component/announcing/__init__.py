"""Manifests, the Series Complete event, and the instances that could not be sent."""
