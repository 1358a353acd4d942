"""What every process of the edge is built on: clock, log, tasks, locks, and the pause between attempts."""
