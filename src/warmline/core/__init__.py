"""Words that every room shares: time, ids, audio formats."""
