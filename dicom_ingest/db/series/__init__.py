"""A series transfer's life: claim, imports, image sets, outcome."""
