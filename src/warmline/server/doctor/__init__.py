"""Whether the services that are configured work, and how fast: `warmline doctor`'s checks."""
