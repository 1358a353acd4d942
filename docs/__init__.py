"""The documentation; `generate` makes from the code what can be made from it."""
