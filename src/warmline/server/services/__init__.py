"""From settings to providers: the one room that knows which there are."""
