"""The operations on import jobs, and the job itself."""
