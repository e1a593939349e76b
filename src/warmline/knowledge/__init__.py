"""Documents to chunks to an index to passages."""
