"""Deepgram's API, simulated."""
