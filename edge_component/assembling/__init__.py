"""From instances to series: which transfer an instance belongs to, and when a series is complete."""
