"""E-mail: `outbox` queues, `sender` delivers, `transport` speaks SMTP, `messages` makes the text."""

from app.email import outbox
from app.web.features import Feature

FEATURE = Feature(name="email", maintenance={"letters": outbox.prune}, metrics=[outbox.gauges])
