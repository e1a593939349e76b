"""HTTP and WebSocket endpoints, settings, limits, shutdown."""
