"""The command line: serve, talk, config."""
