"""Authorization codes: short-lived, one use, bound to client, redirect URI and code challenge."""

import base64
import hashlib
import re
import time
from dataclasses import dataclass

from sandbox.errors import OAuthError
from sandbox.grants import Consent, Grants
from sandbox.secrecy import digest, new_token, same
from sandbox.store import Store

VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a client shows to redeem a code."""

    code: str
    client_id: str
    redirect_uri: str
    code_verifier: str


class Codes:
    """Issues codes and redeems each of them once."""

    def __init__(self, store: Store, grants: Grants) -> None:
        self._store = store
        self._grants = grants

    def issue(self, consent: Consent, redirect_uri: str, code_challenge: str, nonce: str, *, seconds: float) -> str:
        """A fresh code for this consent."""
        code = new_token()
        who = (consent.client_id, consent.user_id, consent.company_id, consent.scope)
        values = (digest(code), *who, redirect_uri, code_challenge, nonce, time.time() + seconds)
        self._store.run("INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL)", *values)
        return code

    def redeem(self, shown: Redemption) -> tuple[Consent, str]:
        """The consent behind the code and its nonce; the code is spent from here on, whatever follows.

        Raises: OAuthError invalid_grant; a second redemption also ends the grant of the first.
        Source: RFC 6749 sections 4.1.2 and 4.1.3, RFC 7636 section 4.6.
        """
        row = self._store.one("SELECT * FROM codes WHERE hash = ?", digest(shown.code))
        if row is None or row["client_id"] != shown.client_id:
            raise OAuthError("invalid_grant", "the code is unknown or was issued to another client")
        if row["used"]:
            self._punish(row["grant_id"])
        self._store.run("UPDATE codes SET used = 1 WHERE hash = ?", row["hash"])
        if row["expires_at"] < time.time():
            raise OAuthError("invalid_grant", "the code has expired")
        if row["redirect_uri"] != shown.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri differs from the authorization request")
        _check_verifier(row["code_challenge"], shown.code_verifier)
        return Consent(row["client_id"], row["user_id"], row["company_id"], row["scope"]), row["nonce"]

    def bind(self, code: str, grant_id: str) -> None:
        """Remember which grant came of the code."""
        self._store.run("UPDATE codes SET grant_id = ? WHERE hash = ?", grant_id, digest(code))

    def _punish(self, grant_id: str | None) -> None:
        if grant_id:
            self._grants.revoke(grant_id, "code_reuse_detected")
        raise OAuthError("invalid_grant", "the code was used before", decision="code_reuse_detected")


def _check_verifier(challenge: str, verifier: str) -> None:
    if not challenge:
        if verifier:
            raise OAuthError("invalid_grant", "code_verifier without a code_challenge before")
        return
    if not VERIFIER.fullmatch(verifier):
        raise OAuthError("invalid_grant", "code_verifier is missing or not 43 to 128 unreserved characters")
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest())
    if not same(hashed.rstrip(b"=").decode(), challenge):
        raise OAuthError("invalid_grant", "code_verifier does not match the code_challenge")
