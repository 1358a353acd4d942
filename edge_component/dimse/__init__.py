"""The DICOM protocol without sockets, threads and clocks: bytes in, events and bytes out.

`association` is the machine, `codec` and `commands` know the encodings, `negotiation` and `admission` decide.
`receiving.readers.connection` drives it.
"""
