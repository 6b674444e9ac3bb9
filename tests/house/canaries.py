"""Secrets as canaries: every form in which one could be written, and where it was found."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging import DEBUG, Handler, LogRecord, getLogger
from urllib.parse import quote, quote_plus

from django.db import connection as database

from broker.logs import EventFormatter


def forms(secret: str) -> set[bytes]:
    """The secret as it is, quoted for URLs and JSON, in hex, and inside any base64, of itself or of a quoted form."""
    texts = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    plain = {text.encode() for text in texts}
    encoded = {form for one in plain for form in (one.hex().encode(), one.hex().upper().encode(), *_base64(one))}
    return plain | encoded


def _base64(secret: bytes) -> Iterator[bytes]:
    """What base64 makes of it at each of the three places in which it can begin, without the edges it shares."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + secret + b"\0\0\0")
            yield text[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]


@dataclass
class Canaries:
    """Named secrets. `found_in` tells which of them a text holds."""

    secrets: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, secret: str | None) -> None:
        assert secret, name
        assert len(secret) >= 20, name
        self.secrets[name] = secret

    def found_in(self, hay: Iterable[str | bytes]) -> list[str]:
        text = b"\n".join(piece if isinstance(piece, bytes) else piece.encode("utf-8", "replace") for piece in hay)
        return sorted(name for name, secret in self.secrets.items() if any(form in text for form in forms(secret)))


class LogOfEverything(Handler):
    """All records at DEBUG level: the lines as they are written, and the messages before they are masked."""

    def __init__(self) -> None:
        super().__init__(DEBUG)
        self.setFormatter(EventFormatter())
        self.lines: list[str] = []
        self.messages: list[str] = []
        self._deaf = False

    def emit(self, record: LogRecord) -> None:
        if self._deaf:
            return
        self.lines.append(self.format(record))
        self.messages.append(f"{record.name}: {record.getMessage()}")

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """While the test itself plays the browser: its HTTP client is not the broker's."""
        self._deaf = True
        yield
        self._deaf = False


@contextmanager
def listening() -> Iterator[LogOfEverything]:
    """Hear every logger there is, at DEBUG, whatever level the settings give it."""
    log = LogOfEverything()
    loggers = [getLogger(), *(getLogger(name) for name in list(getLogger().manager.loggerDict))]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(DEBUG)
    getLogger().addHandler(log)
    yield log
    getLogger().removeHandler(log)
    for logger, level in before:
        logger.setLevel(level)


def dump() -> list[bytes]:
    """Every column of every row of every table, as a dump would hold it."""
    found: list[bytes] = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            assert re.fullmatch(r"[a-z_]+", table)
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                found += [value if isinstance(value, bytes) else _text(value) for value in row]
    return found


def _text(value: object) -> bytes:
    return (bytes(value) if isinstance(value, memoryview) else str(value).encode()) if value is not None else b""
