"""C-STORE receivers side by side: the edge, storescp, pynetdicom, and what the machine allows."""
