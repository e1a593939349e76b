"""The telephone: Telnyx and Twilio."""
