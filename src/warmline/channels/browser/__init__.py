"""A browser or any OpenAI Realtime client, over a WebSocket."""
