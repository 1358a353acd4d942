"""How fast the HealthImaging emulator imports and answers, and in how much memory."""
