"""What a provider and a channel must be able to do: protocols and values, and next to nothing that runs."""
