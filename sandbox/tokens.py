"""Access and refresh tokens: issuing, rotating, and noticing reuse."""

import sqlite3
import time
from dataclasses import dataclass

from sandbox.clients import ClientSettings
from sandbox.errors import OAuthError
from sandbox.grants import Grant, Grants
from sandbox.secrecy import digest, new_token
from sandbox.store import Store

_REFRESH = """SELECT r.hash, r.grant_id, r.expires_at, r.spent_at, g.client_id, g.user_id, g.scope,
    g.revoked_why FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id WHERE r.hash = ?"""
_ACCESS = """SELECT a.hash, a.grant_id, a.scope, a.expires_at, a.revoked, g.client_id, g.user_id,
    g.company_id, g.revoked_why FROM access_tokens a JOIN grants g ON g.id = a.grant_id WHERE a.hash = ?"""


@dataclass(frozen=True, slots=True)
class Issued:
    """The outcome of a token request that succeeded."""

    access_token: str
    expires_in: int
    scope: str
    refresh_token: str | None


class Tokens:
    """Every token, kept as a digest."""

    def __init__(self, store: Store, grants: Grants) -> None:
        self._store = store
        self._grants = grants

    def refresh_row(self, token: str) -> sqlite3.Row | None:
        """The refresh token with its grant, alive or dead, or None."""
        return self._store.one(_REFRESH, digest(token))

    def access_row(self, token: str) -> sqlite3.Row | None:
        """The access token with its grant, alive or dead, or None."""
        return self._store.one(_ACCESS, digest(token))

    def usable_refresh(self, token: str, client_id: str, grace_seconds: float) -> sqlite3.Row:
        """The row of a refresh token that may be redeemed now.

        Raises: OAuthError invalid_grant; a spent token also ends its whole family.
        Source: RFC 6749 section 10.4, RFC 9700 section 4.14.2.
        """
        row = self.refresh_row(token)
        if row is None or row["client_id"] != client_id:
            raise OAuthError("invalid_grant", "the refresh token is unknown or was issued to another client")
        if row["revoked_why"]:
            raise OAuthError("invalid_grant", f"the grant was revoked: {row['revoked_why']}")
        if row["spent_at"] is not None and time.time() - row["spent_at"] >= grace_seconds:
            self._grants.revoke(row["grant_id"], "reuse_detected")
            raise OAuthError("invalid_grant", "the refresh token was used before", decision="reuse_detected")
        if row["expires_at"] < time.time():
            raise OAuthError("invalid_grant", "the refresh token has expired")
        return row

    def first_pair(self, grant: Grant, scope: str, settings: ClientSettings) -> Issued:
        """The tokens that a code is exchanged for; without `offline_access` no refresh token."""
        return self._with_access(grant.id, scope, settings, self.first_refresh(grant, settings))

    def first_refresh(self, grant: Grant, settings: ClientSettings) -> str | None:
        """The refresh token that a code is exchanged for, if `offline_access` was granted."""
        return self._new_refresh(grant.id, settings) if "offline_access" in grant.scope.split() else None

    def next_pair(self, row: sqlite3.Row, scope: str, settings: ClientSettings, *, keep: bool) -> Issued:
        """The tokens that a refresh token is exchanged for.

        With `keep` (or rotation `none`) the refresh token stays good and no other is issued.
        """
        return self._with_access(row["grant_id"], scope, settings, self.next_refresh(row, settings, keep=keep))

    def next_refresh(self, row: sqlite3.Row, settings: ClientSettings, *, keep: bool) -> str | None:
        """The refresh token in the place of this one, which is spent by it; None if this one stays good."""
        if keep or settings.rotation == "none":
            return None
        spend = "UPDATE refresh_tokens SET spent_at = COALESCE(spent_at, ?) WHERE hash = ?"
        self._store.run(spend, time.time(), row["hash"])
        self._store.run("UPDATE grants SET rotations = rotations + 1 WHERE id = ?", row["grant_id"])
        return self._new_refresh(row["grant_id"], settings)

    def revoke_access(self, token_hash: str) -> None:
        """End one access token alone."""
        self._store.run("UPDATE access_tokens SET revoked = 1 WHERE hash = ?", token_hash)

    def forget_expired(self) -> None:
        """Drop access tokens that expired more than a day ago."""
        self._store.run("DELETE FROM access_tokens WHERE expires_at < ?", time.time() - 86_400)

    def newest_is_unspent(self, grant: Grant) -> bool:
        """Whether the last refresh token issued for the grant can still be redeemed."""
        if grant.revoked_at is not None or not grant.newest_refresh:
            return False
        find = "SELECT spent_at, expires_at FROM refresh_tokens WHERE hash = ?"
        row = self._store.one(find, grant.newest_refresh)
        return row is not None and row["spent_at"] is None and row["expires_at"] > time.time()

    def _new_refresh(self, grant_id: str, settings: ClientSettings) -> str:
        token = new_token()
        until = time.time() + settings.refresh_token_seconds
        self._store.run("INSERT INTO refresh_tokens VALUES (?, ?, ?, NULL)", digest(token), grant_id, until)
        self._store.run("UPDATE grants SET newest_refresh = ? WHERE id = ?", digest(token), grant_id)
        return token

    def _with_access(self, grant_id: str, scope: str, settings: ClientSettings, refresh: str | None) -> Issued:
        token, seconds = new_token(), settings.access_token_seconds
        values = (digest(token), grant_id, scope, time.time() + seconds)
        self._store.run("INSERT INTO access_tokens VALUES (?, ?, ?, ?, 0)", *values)
        return Issued(token, seconds, scope, refresh)
