"""Workloads prove who they are by a signed token (JWT, RFC 7519) of an issuer that operators trust.

What a token is checked against is pinned in the issuer's row: issuer, audience, algorithms, keys, length of life. Its
header chooses nothing but which of those keys. Source: RFC 8725; SPIFFE JWT-SVID.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry

from broker.services import issuer_keys
from broker.services.issuer_rows import Issuer, TrustedIssuers

# Asymmetric ones only: a public key must never be good for signing. `EdDSA` is the older name of `Ed25519`.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
LONGEST_TOKEN = 8192
_LEEWAY_SECONDS = 60
_TYPES = frozenset({"", "jwt", "jose", "at+jwt"})
_LONGEST_SUBJECT = 300
_LARGEST_TIME = 2**53


class TokenRefused(Exception):
    """Says why, for the log; whoever sent the token is not told."""


class Workload(NamedTuple):
    """What stands for an issuer's subject wherever a key's id and hash do. No key can have a key_id of this form."""

    key_id: str
    secret_hash: bytes


class _Remembered(NamedTuple):
    issuer: Issuer
    workload: Workload
    until: float


class _Registry(JWSRegistry):
    """The algorithms that are named, and no others: the library's own goes back to a list of its own when none are."""

    max_header_length = 4096

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise TokenRefused("algorithm")
        return self.algorithms[name]


def identity_of(issuer_id: UUID, subject: str) -> Workload:
    """Return what an issuer's subject is stored and looked up as."""
    digest = hashlib.sha256(f"{issuer_id}\n{subject}".encode()).digest()
    return Workload(f"wi:{digest.hex()[:32]}", digest)


def looks_like_token(text: str) -> bool:
    """Tell whether this is meant to be a JWT: three parts with dots between."""
    return text.count(".") == 2


class Verifier:
    """Verifies tokens, and remembers for a while which were good. Thread-safe; one a process.

    Units:  remember_seconds is how long at most, however long the token lives.
    """

    def __init__(
        self,
        issuers: TrustedIssuers,
        published: issuer_keys.AllPublished,
        *,
        remember_seconds: float = 300.0,
        remember_tokens: int = 10_000,
    ) -> None:
        self._issuers = issuers
        self._published = published
        self._seconds = remember_seconds
        self._tokens = remember_tokens
        self._lock = threading.Lock()
        self._good: dict[bytes, _Remembered] = {}

    def verify(self, token: str, *, now: float) -> Workload:
        """Return who proved itself. Units: now in seconds since 1970. Raises: TokenRefused, IssuerUnavailable."""
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise TokenRefused("size or characters")
        mark = hashlib.sha256(token.encode()).digest()
        known = self._good.get(mark)
        # An issuer that was changed or ended since is another object, or none.
        if known is not None and now < known.until and self._issuers.get(known.issuer.issuer) is known.issuer:
            return known.workload
        issuer, claims = self._proven(token)
        until = min(_end(claims, issuer, now), now + self._seconds)
        workload = identity_of(issuer.id, _subject(claims))
        self._remember(mark, _Remembered(issuer, workload, until))
        return workload

    def _proven(self, token: str) -> tuple[Issuer, Mapping[str, Any]]:
        """The issuer and claims of a token whose signature is right; nothing else of it has been looked at."""
        signed, claims = _taken_apart(token)
        issuer = self._issuers.get(claims.get("iss"))
        if issuer is None:
            raise TokenRefused("issuer")
        header = _checked_header(signed)
        allowed = _Registry(algorithms=issuer.algorithms & frozenset(ALGORITHMS), strict_check_header=False)
        for key in self._keys(issuer, header["kid"]):
            if _is_signed_by(signed, key, allowed):
                return issuer, claims
        raise TokenRefused(f"key or signature, issuer {issuer.name}")

    def _keys(self, issuer: Issuer, kid: str) -> tuple[Key, ...]:
        if issuer.jwks:
            return issuer_keys.pinned(issuer.jwks).get(kid, ())
        return self._published.at(issuer.jwks_uri).find(kid)

    def _remember(self, mark: bytes, found: _Remembered) -> None:
        with self._lock:
            if len(self._good) >= self._tokens:
                # Oldest first: a dict keeps the order in which its entries came.
                del self._good[next(iter(self._good))]
            self._good[mark] = found


def _taken_apart(token: str) -> tuple[CompactSignature, Mapping[str, Any]]:
    try:
        signed = jws.extract_compact(token.encode("ascii"), registry=_Registry())
        claims = json.loads(signed.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenRefused("form") from None
    if not isinstance(signed.protected, dict) or not isinstance(claims, dict):
        raise TokenRefused("form")
    return signed, claims


def _checked_header(signed: CompactSignature) -> Mapping[str, Any]:
    header = signed.protected
    kind = header.get("typ", "")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise TokenRefused("type")
    # No extension is understood here, so none may be critical (RFC 7515 section 4.1.11).
    if "crit" in header or "b64" in header:
        raise TokenRefused("critical extension")
    if not isinstance(header.get("kid"), str) or not isinstance(header.get("alg"), str):
        raise TokenRefused("no key id")
    return header


def _is_signed_by(signed: CompactSignature, key: Key, allowed: _Registry) -> bool:
    try:
        return jws.validate_compact(signed, key, registry=allowed)
    # Another kind of key than the algorithm's, or one that is meant for something else.
    except (JoseError, ValueError, TypeError):
        return False


def _end(claims: Mapping[str, Any], issuer: Issuer, now: float) -> float:
    """When the token ends. Raises TokenRefused unless it is good now, and meant for us."""
    audiences = claims.get("aud")
    if issuer.audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise TokenRefused(f"audience, issuer {issuer.name}")
    end = _time(claims, "exp")
    begin, issued = _time(claims, "nbf", absent=now), _time(claims, "iat", absent=now)
    if end <= now:
        raise TokenRefused(f"expired, issuer {issuer.name}")
    if max(begin, issued) > now + _LEEWAY_SECONDS:
        raise TokenRefused(f"not yet valid, issuer {issuer.name}")
    if end - issued > issuer.max_life_seconds:
        raise TokenRefused(f"lives too long, issuer {issuer.name}")
    return end


def _time(claims: Mapping[str, Any], name: str, absent: float | None = None) -> float:
    value = claims.get(name, absent)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Neither infinity nor what is no number at all is below.
    if not is_number or not 0 <= value < _LARGEST_TIME:
        raise TokenRefused(f"{name} is not a time")
    return float(value)


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise TokenRefused("subject")
    return subject


verifier = Verifier(TrustedIssuers(), issuer_keys.published)


def verify(token: str, *, now: float) -> Workload:
    """As `Verifier.verify`, by the one of this process."""
    return verifier.verify(token, now=now)
