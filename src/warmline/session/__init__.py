"""One conversation: the only room where listening, thinking and speaking meet."""
