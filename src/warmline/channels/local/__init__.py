"""The terminal: a recording, or this machine's microphone and speaker."""
