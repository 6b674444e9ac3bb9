"""What the demo has to know of a system: who is there, what the customer does, which call has to work."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something that the sandbox's system knows, and the path it stands under; without members it is gone."""

    path: str
    members: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to the system's own API.

    Shape:  path is as it is sent, beneath the base URL that the broker names. says is a part of the answer's text
            that only the right account's answer has.
    """

    path: str
    says: str
    method: str = "GET"
    body: str = ""
    content_type: str = ""


@dataclass(frozen=True, kw_only=True)
class Breach:
    """What the customer changes at the vendor so that the connection is refused, and what repairs it.

    Shape:  verdict is what the broker makes of the refusal; only `confirmed_dead` needs the customer. afterwards
            stands in the sandbox when all is well again; typed replaces what was typed before. withdrawn: the
            customer takes the consent back, on the vendor's own pages.
    """

    told: str
    before: tuple[Thing, ...] = ()
    afterwards: tuple[Thing, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    verdict: str = "confirmed_dead"
    withdrawn: bool = False


@dataclass(frozen=True, kw_only=True)
class System:
    """One system, from the registration to the call.

    Shape:  typed holds what the customer fills in, on our form or on the vendor's pages, by field name. wrong holds
            values that are tried first, and whose fields the page has to mark. further_scopes are those of a second
            token, where tokens are made by sets of scopes. account is what the broker calls the account, where the
            customer has chosen one of several.
    """

    provider: str
    name: str
    client_id: str
    secret: str = ""
    scopes: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    things: tuple[Thing, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    further_scopes: str = ""
    account: str = ""
    breach: Breach | None = None


@dataclass(frozen=True)
class Run:
    """One run of the demo; every name in it is new, so that runs never meet."""

    name: str
    public_url: str

    def key(self, provider: str) -> str:
        """Return the registration's redirect key."""
        return f"{self.name}-{provider}"

    def callback(self, provider: str) -> str:
        """Return the registration's redirect URI."""
        return f"{self.public_url}/cb/{self.key(provider)}"


def secret() -> str:
    """Return a key as vendors give them out."""
    return secrets.token_hex(20)


def business_id() -> str:
    """Return a Finnish business id with a right check digit, likely nobody else's.

    Source: Finnish Patent and Registration Office, "Business ID".
    """
    while True:
        digits = f"{secrets.randbelow(10**7):07d}"
        remainder = sum(weight * int(digit) for weight, digit in zip((7, 9, 10, 5, 8, 4, 2), digits, strict=True)) % 11
        # A remainder of 1 belongs to no id that was ever given out.
        if remainder != 1:
            return f"{digits}-{11 - remainder if remainder else 0}"
