"""Series and studies: where they are, what happened to them, and what they wait for."""
