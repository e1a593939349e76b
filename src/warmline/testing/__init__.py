"""For testing agents: a clock that jumps, and far ends that follow a script."""
