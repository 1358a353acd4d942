"""Shared by the Lambda functions: the layer. Nouns live here, verbs in ``functions``."""
