"""What a person may do with the stack, as policies of IAM."""
