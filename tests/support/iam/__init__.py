"""What the code calls, what the stack allows, and whether the one covers the other."""
