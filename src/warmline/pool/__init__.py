"""Warm lines: connections that are open before somebody needs them, and replaced before they go bad."""
