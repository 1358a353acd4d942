"""What is sent from one process to another: events, manifests, step messages, outcomes."""
