"""The pictures: SVG without a network, readable in light and dark, small enough to be reviewed as text."""
