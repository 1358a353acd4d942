"""The pipeline as a whole: what needs attention, edges, the flow, slots, use."""
