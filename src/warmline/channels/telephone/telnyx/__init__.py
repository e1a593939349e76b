"""Telnyx: Call Control v2, its webhooks, and media over a WebSocket."""
