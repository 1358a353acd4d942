"""Which pipeline the operator talks to: a local run, or a stack on AWS."""
