"""The operator's command line: the same verbs against a local run and against AWS."""
