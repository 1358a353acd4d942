"""What the console asks of a run, and the little it may change."""
