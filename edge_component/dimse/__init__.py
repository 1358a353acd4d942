"""The network side of the receiver: what pynetdicom does, and what we do in its place.

pynetdicom listens, negotiates, echoes, releases and aborts. The modules here replace by subclassing what it
would do without bounds: whole data sets in memory, endless command sets, blocking TLS handshakes. They lean
on names of pynetdicom that are not public: its version is pinned, and a test guards them.
"""
