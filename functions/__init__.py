"""One folder per function, named as the state that runs it: verb_noun/handler.py."""
