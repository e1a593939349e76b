"""Who has the floor and when a turn is over: tables and pure functions, no I/O and no clock."""
