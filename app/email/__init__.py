"""E-mail: `outbox` queues, `sender` delivers, `transport` speaks SMTP, `messages` makes the text."""
