"""Processes that read C-STOREs for the edge, so that many associations do not wait for one interpreter."""
