"""Access tokens that no person allowed: made from keys, kept as digests, found again when somebody shows them."""

import time
from dataclasses import dataclass

import msgspec

from sandbox.exchange import Exchange
from sandbox.fixtures import Kind
from sandbox.secrecy import digest, fingerprint, new_token
from sandbox.state import Sandbox


class Minted(msgspec.Struct, frozen=True):
    """What the system remembers of one access token.

    Shape:  account is whose data it opens. key is what it dies with, where there is such a thing: the digest of
            the key that it was made with, or a grant.
    """

    client_id: str
    account: str
    scopes: tuple[str, ...]
    expires_at: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class Mint:
    """The tokens of one system."""

    kind: Kind[Minted]

    def strike(self, sandbox: Sandbox, exchange: Exchange, minted: Minted) -> str:
        """A fresh token that stands for this."""
        token = new_token() + new_token()
        sandbox.fixtures.put(self.kind, digest(token), minted)
        exchange.entry.issued = {"access_token": fingerprint(token)}
        exchange.decide("issued", " ".join(minted.scopes)[:200])
        return token

    def shown(self, sandbox: Sandbox, exchange: Exchange, token: str) -> tuple[Minted | None, str]:
        """What a living token stands for, or why there is nothing."""
        exchange.entry.presented = fingerprint(token)
        minted = sandbox.fixtures.find(self.kind, digest(token))
        if minted is None:
            return None, "unknown token"
        exchange.entry.client_id, exchange.entry.user = minted.client_id, minted.account
        if minted.expires_at <= time.time():
            return None, "the access token has expired"
        return minted, ""

    def melt(self, sandbox: Sandbox, token: str) -> bool:
        """Whether there was such a token to end."""
        return sandbox.fixtures.delete(self.kind, digest(token))


def mint_of(system: str) -> Mint:
    """The tokens of this system, out of the control API's reach."""
    return Mint(Kind(system, "minted", Minted))
