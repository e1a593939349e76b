"""Samples in, samples out; pure functions and small stateful converters, no I/O."""
