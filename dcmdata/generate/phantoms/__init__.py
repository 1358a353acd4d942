"""Bodies in space, their noise, and the X-rays through them."""
