"""No dead air: what goes on when a provider stalls, drops, refuses or goes mute in the middle of a turn."""
