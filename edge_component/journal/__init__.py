"""The journal: the only thing that receiver, assembler and uploader share."""
