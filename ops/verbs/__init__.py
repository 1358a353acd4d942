"""A module per verb (HELP, add_arguments, run), in rooms by what the verb does."""
