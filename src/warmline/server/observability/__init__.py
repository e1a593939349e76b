"""What the operator sees of turns: the log's lines, what is kept, the dashboard, metrics, alerts."""
