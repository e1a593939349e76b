"""ElevenLabs's API, simulated."""
