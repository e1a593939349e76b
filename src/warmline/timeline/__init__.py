"""What happened when in a turn: marks, spans, contributions; pure."""
