"""One line of an import file: what it says, or which member is wrong. No value of it is ever repeated."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NoReturn

from providers.messages import Secret

MAXIMUM_BYTES = 65_536
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_TEXTS = {"tenant": 64, "provider": 64, "environment": 64, "registration": 300, "label": 100, "external_account": 300}
_SECRETS = ("access_token", "refresh_token")
_TOKENS = (*_SECRETS, "token_type", "expires_at", "expires_in", "scope", "extras")
_KNOWN = (*_TEXTS, "entered", *_TOKENS)


class LineRefused(Exception):
    """A line that is not imported. Shape: reason is a word for programs, field a member's name, "" for the whole."""

    def __init__(self, reason: str, field: str = "", detail: str = "") -> None:
        super().__init__(": ".join(part for part in (reason, field, detail) if part))
        self.reason = reason
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens that a customer's grant gave somebody else before. Units: expires_in in seconds from now."""

    access_token: Secret
    refresh_token: Secret | None
    token_type: str
    expires_at: datetime | None
    expires_in: float | None
    scope: tuple[str, ...] | None
    extras: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection to import: `entered` or `tokens`, never both."""

    tenant: str
    provider: str
    environment: str
    registration: str
    label: str
    external_account: str
    entered: Mapping[str, str] | None = field(repr=False)
    tokens: Tokens | None = field(repr=False)


class _Repeated(ValueError):
    pass


def read_line(text: bytes) -> Line:
    """Return what a line says. Raises LineRefused."""
    members = _members(text)
    if unknown := sorted(members.keys() - set(_KNOWN)):
        raise LineRefused("unknown_member", unknown[0] if unknown[0].isidentifier() else "", f"known: {_names()}")
    texts = {name: _text(members, name, maximum) for name, maximum in _TEXTS.items()}
    for name in ("tenant", "provider", "environment"):
        if not texts[name]:
            raise LineRefused("missing_member", name)
    entered, tokens = _entered(members), None
    if entered is None:
        tokens = _tokens(members)
    elif given := sorted(members.keys() & set(_TOKENS)):
        raise LineRefused("unknown_member", given[0], "a line has `entered` or tokens, not both")
    return Line(**texts, entered=entered, tokens=tokens)


def _members(text: bytes) -> dict[str, Any]:
    if len(text) > MAXIMUM_BYTES:
        raise LineRefused("line_too_long", detail=f"at most {MAXIMUM_BYTES} bytes")
    try:
        found = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except _Repeated:
        raise LineRefused("duplicate_member") from None
    except (ValueError, RecursionError):
        raise LineRefused("not_json", detail="one JSON object a line, in UTF-8") from None
    if not isinstance(found, dict):
        raise LineRefused("not_json", detail="one JSON object a line, in UTF-8")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Repeated
    return members


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _text(members: Mapping[str, Any], name: str, maximum: int = 300) -> str:
    value = members.get(name, "")
    if not isinstance(value, str) or len(value) > maximum or not value.isprintable():
        raise LineRefused("wrong_type", name, f"a text of at most {maximum} characters")
    return value


def _entered(members: Mapping[str, Any]) -> dict[str, str] | None:
    if "entered" not in members:
        return None
    found = members["entered"]
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise LineRefused("wrong_type", "entered", "an object of texts")
    return found


def _tokens(members: Mapping[str, Any]) -> Tokens:
    access = _secret(members, "access_token")
    if access is None:
        raise LineRefused("missing_member", "access_token", "or `entered`")
    extras = members.get("extras", {})
    if not isinstance(extras, dict) or not all(isinstance(each, str | int | bool) for each in extras.values()):
        raise LineRefused("wrong_type", "extras", "an object of texts and numbers")
    return Tokens(
        access_token=access,
        refresh_token=_secret(members, "refresh_token"),
        token_type=_text(members, "token_type") or "Bearer",
        expires_at=_instant(members),
        expires_in=_seconds(members),
        scope=_scope(members),
        extras=extras,
    )


def _secret(members: Mapping[str, Any], name: str) -> Secret | None:
    value = members.get(name)
    if value is None or value == "":
        return None
    # What a header can carry; a line break in a token would be a header of somebody's own.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise LineRefused("wrong_type", name, "a token: ASCII, without spaces")
    return Secret(value)


def _instant(members: Mapping[str, Any]) -> datetime | None:
    if members.get("expires_at") is None:
        return None
    try:
        found = datetime.fromisoformat(_text(members, "expires_at"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise LineRefused("wrong_type", "expires_at", "a time like 2026-12-31T23:59:59Z, with its zone")
    return found


def _seconds(members: Mapping[str, Any]) -> float | None:
    value = members.get("expires_in")
    if value is None:
        return None
    if members.get("expires_at") is not None:
        raise LineRefused("unknown_member", "expires_in", "expires_at or expires_in, not both")
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 10**9:
        raise LineRefused("wrong_type", "expires_in", "seconds from now")
    return float(value)


def _scope(members: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = members.get("scope")
    if value is None:
        return None
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise LineRefused("wrong_type", "scope", "scopes with spaces between, or a list")


def _names() -> str:
    return ", ".join(_KNOWN)
