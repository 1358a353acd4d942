"""What the pipeline knows of the platform: functions and their wiring, quotas, how slots are shared."""
