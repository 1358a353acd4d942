"""What the person's own machine and credentials answer: the interpreter, Node, the account."""
