"""How a person is reached; one folder each, and none knows another."""
