"""One study of a stack's own making, followed from its first byte to its image set."""
