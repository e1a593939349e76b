"""Providers that need no key and no network: what a fresh install speaks and hears with."""
