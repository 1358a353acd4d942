"""One module a verb: HELP, add_arguments, run."""
