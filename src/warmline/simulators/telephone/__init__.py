"""What every telephone network has: a line, a person on it, and a log of what happened."""
