"""Two helpers of every child process: end with the parent, and say when ready."""
