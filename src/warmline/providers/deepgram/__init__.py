"""Deepgram: recognition over sockets, by Nova or by Flux, and of recordings over HTTP."""
