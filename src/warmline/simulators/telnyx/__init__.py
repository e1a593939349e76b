"""Telnyx's Call Control and media streams, simulated."""
