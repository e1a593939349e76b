"""What many turns say together: percentiles, comparison, goals, findings, as text or a page; pure."""
