"""Which issuers of workload tokens operators trust, and what their tokens are checked against."""

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from broker.errors import InvalidRequest
from broker.services import issuer_keys
from broker.services.workload_identity import ALGORITHMS
from providers.definition.rules import LOOPBACK_HOSTS
from tenants import audit
from tenants.audit import Actor
from tenants.models import TrustedIssuer

_SHORTEST_LIFE, _LONGEST_LIFE = 60, 86_400
_LARGEST_JWKS = 65_536
_FIELDS = ("active", "issuer", "audience", "algorithms", "jwks_uri", "max_life_seconds")


def trust(
    name: str,
    *,
    issuer: str,
    audience: str,
    algorithms: Sequence[str],
    jwks_uri: str = "",
    jwks: str = "",
    max_life_seconds: int = 3600,
    actor: Actor,
) -> TrustedIssuer:
    """Return the row of an issuer that is trusted from now on, on these terms; an old one of this name is changed.

    Shape:  jwks is the text of a JWK set, whose keys are pinned instead of an address.
    Raises: InvalidRequest, naming the field. Effects: one row, one audit event.
    """
    with transaction.atomic():
        row = TrustedIssuer.objects.select_for_update().filter(name=name).first() or TrustedIssuer(name=name)
        created = row._state.adding
        row.issuer, row.audience, row.algorithms = issuer, audience, sorted(set(algorithms))
        row.jwks_uri, row.jwks, row.max_life_seconds = jwks_uri, _parsed(jwks) if jwks else None, max_life_seconds
        row.active = True
        _save(row)
        _record("issuer.trusted" if created else "issuer.changed", row, actor)
    return row


def distrust(name: str, *, actor: Actor) -> None:
    """Refuse an issuer's tokens, on every process within seconds. Raises InvalidRequest."""
    with transaction.atomic():
        if not TrustedIssuer.objects.filter(name=name, active=True).update(active=False):
            raise InvalidRequest(f"no issuer that is trusted is named {name[:64]!r}")
        audit.record("issuer.distrusted", actor, tenant_id=None, detail={"issuer": name})


def _save(row: TrustedIssuer) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidRequest(f"{field}: {problems[0]}") from None
    check(row)
    row.save()


def check(row: TrustedIssuer) -> None:
    """Raises InvalidRequest, naming the field, for what would let tokens in that nobody means, or none at all."""
    for name in ("issuer", "audience"):
        value = getattr(row, name)
        if not value or any(not " " < character < "\x7f" for character in value):
            raise InvalidRequest(f"{name} is printed as in the tokens, without spaces")
    if not row.algorithms or not set(row.algorithms) <= set(ALGORITHMS):
        raise InvalidRequest(f"algorithms must be among {', '.join(ALGORITHMS)}")
    if not _SHORTEST_LIFE <= row.max_life_seconds <= _LONGEST_LIFE:
        raise InvalidRequest(f"max_life_seconds is from {_SHORTEST_LIFE} to {_LONGEST_LIFE}")
    if bool(row.jwks_uri) == (row.jwks is not None):
        raise InvalidRequest("an issuer has either the address of its keys or the keys themselves")
    if row.jwks_uri:
        _check_address(row.jwks_uri)
    else:
        _check_keys(row.jwks)


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        demo = settings.DEMO and parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
        good = (parts.scheme == "https" or demo) and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or "#" in address or any(not " " < character < "\x7f" for character in address):
        raise InvalidRequest("jwks_uri is a plain https address")


def _check_keys(jwks: object) -> None:
    try:
        usable = issuer_keys.read(jwks)
    except ValueError as error:
        raise InvalidRequest(f"jwks: {error}") from None
    if not usable:
        raise InvalidRequest("jwks holds no public RSA (2048 bits or more), EC or OKP key with a `kid`")


def _parsed(text: str) -> object:
    if len(text) > _LARGEST_JWKS:
        raise InvalidRequest("jwks is larger than 64 KiB")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("jwks is not JSON") from None


def _record(action: str, row: TrustedIssuer, actor: Actor) -> None:
    audit.record(action, actor, tenant_id=None, detail={"issuer": row.name, "now": terms(row)})


def terms(row: TrustedIssuer) -> dict[str, object]:
    """Return what an issuer's tokens are checked against, as the audit log keeps it."""
    pinned = sorted(issuer_keys.read(row.jwks)) if row.jwks is not None else []
    return {**{name: getattr(row, name) for name in _FIELDS}, "pinned_keys": pinned}
