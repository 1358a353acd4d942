"""The index at the size of years: made by statements, then asked."""
