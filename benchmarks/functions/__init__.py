"""The Lambda functions: what one invocation and one cold start cost."""
