"""Verbs that compare what should be with what is: exit code 1 says that it differs."""
