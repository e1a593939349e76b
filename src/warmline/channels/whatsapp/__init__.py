"""WhatsApp: what people write and speak there, and what is answered."""
