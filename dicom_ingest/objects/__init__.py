"""What an edge has put into the bucket."""
