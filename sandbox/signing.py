"""Signed tokens: the key they are signed with, and the set in which it is published."""

import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from sandbox.secrecy import new_token
from sandbox.store import Store

ID_TOKEN_SECONDS = 300


class Signer:
    """Signs with one RSA key per installation, made when first needed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: RSAKey | None = None

    def id_token(self, claims: dict[str, Any]) -> str:
        """A signed ID token with these claims and the usual times.

        Source: OpenID Connect Core section 2.
        """
        return self._signed(claims, ID_TOKEN_SECONDS, "JWT")

    def access_token(self, claims: dict[str, Any], seconds: int) -> str:
        """A signed access token with these claims, its times and an id of its own.

        Source: RFC 9068 section 2.
        """
        return self._signed({"nbf": int(time.time()), "jti": new_token(), **claims}, seconds, "at+jwt")

    def claims_of(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that was signed here, expired or not; None for any other text."""
        try:
            return jwt.decode(token, self._signing_key(), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return None

    def _signed(self, claims: dict[str, Any], seconds: int, kind: str) -> str:
        key, now = self._signing_key(), int(time.time())
        times = {"iat": now, "exp": now + seconds}
        return jwt.encode({"alg": "RS256", "kid": key.kid or "", "typ": kind}, {**claims, **times}, key)

    def public_keys(self) -> dict[str, Any]:
        """The JWK set."""
        return dict(KeySet([self._signing_key()]).as_dict(private=False))

    def _signing_key(self) -> RSAKey:
        if self._key is None:
            self._key = self._kept() or self._made()
        return self._key

    def _kept(self) -> RSAKey | None:
        pem, kid = self._store.fact("signing_key"), self._store.fact("signing_kid")
        return RSAKey.import_key(pem, {"kid": kid, "use": "sig", "alg": "RS256"}) if pem and kid else None

    def _made(self) -> RSAKey:
        kid = new_token()[:12]
        key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)
        self._store.remember("signing_key", key.as_pem(private=True).decode())
        self._store.remember("signing_kid", kid)
        return key
