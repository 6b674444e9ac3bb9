"""Maventa: who has which keys, what scopes there are, and how it says no."""

import msgspec

from sandbox.exchange import Reply, json_reply
from sandbox.fixtures import Kind
from sandbox.minted import mint_of
from sandbox.shapes import shapes

NAME = "maventa"
HOUR = 3600
ALIASES = {
    "global": ("company:read", "document:receive", "document:send", "lookup"),
    "company": ("company:read", "company:write"),
    "eui": (
        "eui:open",
        "company:read",
        "company:write",
        "lookup",
        "receivables:assignments",
        "document:send",
        "document:receive",
        "invoice:receive",
        "invoice:send",
        "analysis",
    ),
}
_SINGLE = """
    lookup document:receive document:send invoice:receive invoice:send company:read company:write validate
    receivables:assignments analysis billing:reports partner:invoice_delivery_actions partner:lookups
    partner:takeovers partner:lyanthe_scan_service fi_bank_message:send fi_bank_message:receive eui:open
"""
SINGLE = frozenset(_SINGLE.split())
OPERATOR = "operator:"


class Vendor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The maker of an accounting program, by its key."""

    enabled: bool = True


class Company(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company's account.

    Shape:  keys maps each user's API key to the scopes that it may ask for, null for all.
    """

    name: str = "Company Oy"
    verified: bool = True
    locked: bool = False
    keys: dict[str, tuple[str, ...] | None] = {}
    token_seconds: int = HOUR


class Operator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An e-invoice operator."""

    secret: str
    scopes: tuple[str, ...] = ("operator:lookup",)
    token_seconds: int = HOUR


VENDORS = Kind(NAME, "vendors", Vendor)
COMPANIES = Kind(NAME, "companies", Company)
OPERATORS = Kind(NAME, "operators", Operator)
TOKENS = mint_of(NAME)


def rights(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """The single scopes that these stand for, each once."""
    single = [right for scope in scopes for right in ALIASES.get(scope, (scope,))]
    return tuple(dict.fromkeys(single))


def problem(status: int, code: str, message: str, details: tuple[str, ...] = ()) -> Reply:
    """An error in the vendor's envelope.

    Source: the vendor's API specification, API_Entities_Error.
    """
    return json_reply(status, {"code": code, "message": message, "details": list(details)})


SHAPES = shapes(problem, "internal_error", "too_many_requests")
