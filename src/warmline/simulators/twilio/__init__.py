"""Twilio's voice API and Media Streams, simulated."""
