"""Structured logs on standard error: a constant phrase and facts in fields; UIDs, never names of people."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from datetime import datetime, timezone
from typing import Any

LOGGER = logging.getLogger("edge")


def log(level: int, message: str, /, **facts: Any) -> None:
    """One line: a constant phrase with its facts."""
    LOGGER.log(level, message, extra={"facts": facts})


def info(message: str, /, **facts: Any) -> None:
    """What happened as it should."""
    log(logging.INFO, message, **facts)


def warning(message: str, /, **facts: Any) -> None:
    """What a person may want to look at."""
    log(logging.WARNING, message, **facts)


def error(message: str, /, **facts: Any) -> None:
    """What a person must look at."""
    log(logging.ERROR, message, **facts)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] = getattr(record, "facts", {})
    if record.exc_info and record.exc_info[0] is not None:
        # The type and place only: an exception's text may quote a data set.
        facts = {**facts, "exception": record.exc_info[0].__name__}
    return facts


class JsonFormatter(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.fromtimestamp(record.created, tz=timezone.utc)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        return json.dumps(line, default=str)


class HumanFormatter(logging.Formatter):
    """A line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.fromtimestamp(record.created, tz=timezone.utc)
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        return f"{moment:%H:%M:%S} {record.levelname:<7} {record.getMessage()} {facts}".rstrip()


def configure(log_format: str, level: str) -> None:
    """Send everything to standard error; the libraries' own chatter only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else HumanFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOGGER.setLevel(level)
    pynetdicom = logging.getLogger("pynetdicom")
    pynetdicom.setLevel(logging.ERROR)
    # It logs each error twice: a sentence, then the exception with bytes of the peer in it.
    pynetdicom.addFilter(lambda record: record.exc_info is None)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")  # pydicom says of each odd value that it is odd, in lines of its own
