"""Anthropic's messages and models, over HTTP."""
