"""Who listens, thinks and speaks for us; one folder each, and none knows another."""
