"""What the edge says about itself: health, status, heartbeat."""
