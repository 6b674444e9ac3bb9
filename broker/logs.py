"""One JSON object a log line, built from an allow-list of fields.

Our own code logs an event name and fields; anything not listed is dropped. Text from other libraries is kept, with
everything that looks like a secret masked, because we cannot know what they put into it.
"""

import json
import logging
import re
import traceback
from datetime import UTC, datetime

FIELDS = (
    "tenant_id",
    "connection_id",
    "registration_id",
    "provider_id",
    "caller",
    "key_id",
    "operation",
    "code",
    "source",
    "on_behalf_of",
    "version",
    "fence",
    "failure",
    "status",
    "error",
    "error_id",
    "seconds",
    "count",
    "reason",
    "state",
    "action",
    "day",
    "digest",
)
# Where a name can begin: not inside a word, but right after an encoded `?` or `&`.
_BEGIN = r"(?:(?<![A-Za-z0-9_-])|(?<=%3F)|(?<=%26))"
_NAMES = (
    r"(?:[a-z_]*token|[a-z_]*secret|[a-z_]*password|[a-z_]*assertion|passwd|pwd|code|code_verifier|state|nonce"
    r"|api[_-]?key|secret[_-]key|keyring|[a-z]*session(?:id)?)"
)
_VALUE = r"""(?:\\+"(?:(?!\\+").)*\\+"|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\*["']?[^\s&"',;})\]]+)"""
_SECRETS = (
    (re.compile(r"brk_[A-Za-z0-9]+_[A-Za-z0-9]+_\S+"), "brk_***"),
    (re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[=:]\s*)[^\r\n]+"), r"\1***"),
    (
        re.compile(r"(?i)(authorization\\*[\"']?\s*[=:]\s*\\*[\"']?)(?:(?:bearer|basic|dpop)\s+)?[^\s\"'\\,}]+"),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 ***"),
    (re.compile(rf"(?i){_BEGIN}({_NAMES}\\*[\"']?\s*(?:=|:|%3D)\s*){_VALUE}"), r"\1***"),
    (re.compile(r"/connect/(?!result|retry)[A-Za-z0-9_-]{20,}"), "/connect/***"),
    (re.compile(r"(://[^/\s:@]*:)[^\s/]+@"), r"\1***@"),
    (re.compile(r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)+"), "***"),
    # Whatever is long and random; the path of an address, all words and ids, is neither.
    (
        re.compile(r"(?<![A-Za-z0-9_~+/-])(?!(?:/[a-z0-9_-]{0,36})+(?![A-Za-z0-9_~+/-]))[A-Za-z0-9_~+/-]{40,}={0,2}"),
        "***",
    ),
)
_CONTROLS = {number: f"\\x{number:02x}" for number in (*range(32), *range(0x7F, 0xA0))}
_CONTROLS |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): " ", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def redact(text: str) -> str:
    """Return the text with everything that looks like a secret masked, and on one line."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text.translate(_CONTROLS)


class EventFormatter(logging.Formatter):
    """Formats a record as one JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(_message(record)),
        }
        line.update({name: _plain(getattr(record, name)) for name in FIELDS if hasattr(record, name)})
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _where(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Left to logging, a call with the wrong arguments would print them all on stderr, unmasked.
        return str(record.msg)


def _plain(value: object) -> object:
    return value if isinstance(value, (int, float, bool)) or value is None else redact(str(value))


def _where(error: BaseException) -> str:
    # The message and the source lines of a traceback can hold values: only the class and the places are kept.
    frames = [
        f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return f"{type(error).__name__} at " + " < ".join(reversed(frames[-8:]))
