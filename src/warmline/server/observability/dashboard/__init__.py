"""`/dashboard`: where the time goes, as it goes and as it went."""
