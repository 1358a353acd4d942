"""The storage SCP: who is connected, what arrives, and how it is kept."""
