"""What is read of a data set while it passes: the walk over its elements, the header, what is foretold."""
