"""Messages over WhatsApp: taken by webhook, answered by durable jobs."""
