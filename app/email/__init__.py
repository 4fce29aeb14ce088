"""E-mail: `outbox` queues, `sender` delivers, `messages` makes the text; `transport` speaks SMTP, `https_api` HTTPS."""

from app.email import outbox
from app.web.features import Feature

FEATURE = Feature(name="email", maintenance={"emails": outbox.prune}, metrics=[outbox.gauges])
