"""Twilio: Programmable Voice, its webhooks, and Media Streams."""
