"""The processes of a run, and the threads that do what the cloud does by itself."""
