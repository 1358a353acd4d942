"""The workflow's graph, and an execution's path through it."""
