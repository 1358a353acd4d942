"""The web console of a local run: the flow, every series, its pictures. On loopback only."""
