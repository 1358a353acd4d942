"""What every operation works on: records, blobs, events, faults, pages, tokens."""
