"""WhatsApp's Cloud API, simulated, with people who write, speak and listen."""
