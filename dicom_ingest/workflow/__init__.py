"""Executions: resumed, asked about, and counted."""
