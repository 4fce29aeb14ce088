"""What the log looks like: one line an event, on standard error. Loggers of the application are called `lanyard.*`."""

import logging
from typing import Any

CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def config(*, quiet: bool) -> dict[str, Any]:
    """For `logging.config.dictConfig`. `quiet` leaves out what the server says of its own start and end."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "app.logs.OneLine", "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {"lanyard": {"level": "INFO"}, "uvicorn": {"level": "WARNING" if quiet else "INFO"}},
    }


class OneLine(logging.Formatter):
    """No message can start a line of its own (v5.0.0-16.4.1)."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name logging calls
        record.message = record.message.translate(CONTROL)
        return super().formatMessage(record)
