"""What is kept: messages and their answers, in SQLite or PostgreSQL."""
