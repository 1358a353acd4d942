"""The line to AWS: how much of it may be used now, who goes next, and where that leads."""
