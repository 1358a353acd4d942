"""Proof of what an edge has sent: the document of a study, and the chain of its manifests."""
