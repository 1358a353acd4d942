"""What everything passes on: rows, receipts, and what a sender asked to commit."""
