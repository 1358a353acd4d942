"""The command line of the local runtime: one module per command."""
