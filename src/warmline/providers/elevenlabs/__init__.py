"""ElevenLabs: a voice over sockets that stay open, and over HTTP where they do not."""
