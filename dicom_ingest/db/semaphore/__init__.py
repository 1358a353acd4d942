"""The queue: tickets, the grant step, the gate, the operator's changes, leftovers."""
