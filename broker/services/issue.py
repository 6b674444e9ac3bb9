"""Give a usable token: the one service on the token path.

Fresh: one query, one unseal, no write. Not fresh: `awaiting` renews, or waits for whoever does, up to a deadline.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings

from broker import errors
from broker.services import admission, awaiting, counts, credentials, directory, fingerprints, renew
from broker.services.admission import Find
from broker.services.awaiting import Came
from broker.services.callers import PresentedKey
from providers.errors import ProviderError
from providers.interface import HANDS_OUT_TOKENS
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential, StoredCredential
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import Connection
from tenants.querysets.hand_out import HandOut
from tenants.querysets.rows import database_now


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What a caller gets. `headers` are ready to be sent to base_url; both hold or reach secrets: never log them."""

    connection_id: UUID
    credential: OAuthCredential
    expires_at: datetime | None
    version: int
    base_url: str
    headers: dict[str, str] = field(repr=False)
    degraded: str | None
    scope_asked: str = ""
    scope_missing: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the answer's members: the only place where an access token becomes part of a response."""
        return {
            "connection_id": self.connection_id,
            "access_token": self.credential.access_token.reveal(),
            "token_type": self.credential.token_type,
            "expires_at": self.expires_at,
            "scope": " ".join(self.credential.scope),
            "scope_asked": self.scope_asked,
            "scope_missing": self.scope_missing,
            "version": self.version,
            "base_url": self.base_url,
            "headers": self.headers,
            "degraded": self.degraded,
        }


class Wanted(NamedTuple):
    """What a caller asks of a token: None leaves it to the broker. Units: seconds."""

    min_ttl: int | None = None
    wait_seconds: float | None = None


ANY = Wanted()
encode = msgspec.json.encode


def issue_access_token(presented: PresentedKey, find: Find, wanted: Wanted = ANY) -> bytes:
    """Return an access token that is valid for at least min_ttl seconds, as the JSON of `IssuedToken.as_json`.

    Raises: the errors of broker.errors that docs/errors.md lists for this route.
    Effects: none when fresh; otherwise those of `awaiting.renewal`.
    """
    row = usable_row(presented, find, HANDS_OUT_TOKENS, wanted)
    issued = assemble_row(row)
    answer = encode(issued.as_json())
    count(presented, row, issued.credential)
    return answer


def hand_out(presented: PresentedKey, row: HandOut) -> IssuedToken:
    """Return the answer for a usable row, counted. Raises StorageFault."""
    issued = assemble_row(row)
    count(presented, row, issued.credential)
    return issued


def assemble_row(row: HandOut) -> IssuedToken:
    """Return the answer for a usable row. Raises StorageFault."""
    return assemble(
        row.connection_id,
        admission.registration(row),
        opened(row),
        expires_at=row.expires_at,
        version=row.version,
        degraded=admission.degraded(row),
        asked=row.scopes_asked,
        granted=row.scopes_granted,
    )


def usable_row(presented: PresentedKey, find: Find, needed: str, wanted: Wanted = ANY) -> HandOut:
    """Return the row with a credential that can be handed out, renewed first where it has to be.

    Raises: as `admission.admit`, and what keeps the credential from being renewed.
    """
    row = admission.admit(presented, admission.look_up(presented, find), needed)
    return usable(presented, find, needed, row, wanted)


def usable(presented: PresentedKey, find: Find, needed: str, row: HandOut, wanted: Wanted) -> HandOut:
    """As usable_row, for a row that is admitted already."""
    return row if fresh(row, wanted.min_ttl) else _renewed(presented, find, needed, row, wanted)


def fresh(row: HandOut, min_ttl: int | None) -> bool:
    """Tell whether an admitted row's credential is good enough as it is."""
    return row.sealed is not None and admission.lives_long_enough(row.seconds_left, row.life_seconds, min_ttl)


def _renewed(presented: PresentedKey, find: Find, needed: str, row: HandOut, wanted: Wanted) -> HandOut:
    """Renew, or wait for whoever does, and return the row as it is then."""
    _check_attainable(row, wanted)
    assert row.connection_id is not None
    came = awaiting.renewal(row.connection_id, version=row.version or 0, wait_seconds=patience(wanted))
    row = admission.admit(presented, find(presented.key_id), needed, cost=0)
    if fresh(row, wanted.min_ttl):
        return row
    # The tokens that the provider makes now may be shorter than the one before.
    _check_attainable(row, wanted)
    return _stale_but_valid(row, wanted, came)


def _check_attainable(row: HandOut, wanted: Wanted) -> None:
    if wanted.min_ttl is not None and row.sealed is not None and wanted.min_ttl > row.life_seconds:
        raise errors.MinTtlUnattainable(f"this provider's tokens live for {row.life_seconds:.0f} s")


def patience(wanted: Wanted) -> float:
    """Return for how many seconds a caller waits at most."""
    limit = settings.TOKEN_WAIT_SECONDS
    return limit if wanted.wait_seconds is None else min(wanted.wait_seconds, limit)


def _stale_but_valid(row: HandOut, wanted: Wanted, came: Came) -> HandOut:
    """A token that still works beats a refusal, unless the caller named a min_ttl: that is a promise."""
    if wanted.min_ttl is None and row.seconds_left is not None and row.seconds_left > 1:
        return admission.in_trouble(row, came.note)
    raise awaiting.error_of(came)


def opened(row: HandOut) -> StoredCredential:
    """Return the row's credential. Raises StorageFault."""
    assert row.connection_id is not None
    assert row.sealed is not None
    key, sealed = row.data_key, row.sealed
    try:
        return credentials.open_handed_out(key, connection_id=row.connection_id, version=row.version, sealed=sealed)
    except TenantsError:
        raise errors.StorageFault() from None


def count(presented: PresentedKey, row: HandOut, read: StoredCredential) -> None:
    """Count one reading of the connection's credential. Raises StorageFault. Effects: none but in memory."""
    counts.reads.add(presented, row, lambda: fingerprints.of_credential(row.data_key, read))


def assemble(
    connection_id: UUID | None,
    registration: Registration,
    credential: StoredCredential,
    *,
    expires_at: datetime | None,
    version: int,
    degraded: str | None,
    asked: str = "",
    granted: str = "",
) -> IssuedToken:
    """Return the answer for a credential with an access token. Raises OperationUnsupported for one without."""
    provider = directory.provider(registration.provider_id)
    if not isinstance(credential, OAuthCredential):
        raise directory.unsupported(provider.unsupported(HANDS_OUT_TOKENS))
    base_url = admission.base_url(provider, registration)
    try:
        headers = provider.api_headers(registration, credential)
    except ProviderError as error:
        raise errors.RegistrationRejected(f"no headers can be made: {error}") from None
    assert connection_id is not None
    return IssuedToken(
        connection_id=connection_id,
        credential=credential,
        expires_at=expires_at,
        version=version,
        base_url=base_url,
        headers=headers,
        degraded=degraded,
        scope_asked=asked,
        scope_missing="" if asked == granted else _missing(asked, granted),
    )


def _missing(asked: str, granted: str) -> str:
    given = granted.split(" ")
    return " ".join(scope for scope in asked.split(" ") if scope not in given)


def issue_to_operator(connection_id: UUID, *, min_ttl: int, actor: Actor) -> IssuedToken:
    """Return an access token to somebody at the command line: no API key, but an audit event with a name.

    Raises: ConnectionNotFound, and what a caller would be told. Effects: those of `renew`, one audit event.
    """
    row = _connection(connection_id)
    if _seconds_left(row) < min_ttl and row.state in admission.SERVED:
        outcome = renew.renew_now(row.pk)
        row = _connection(connection_id)
        if _seconds_left(row) < min_ttl and row.state in admission.SERVED:
            raise awaiting.error_of(Came(outcome=outcome))
    if row.state not in admission.SERVED:
        raise errors.ReauthorizationRequired(f"{row.get_state_display()}: {row.get_reason_display()}")
    try:
        credential = credentials.open_current(row.credential, row.tenant_id)
    except TenantsError:
        raise errors.StorageFault() from None
    issued = assemble(
        row.pk,
        credentials.registration_without_secrets(row.registration),
        credential,
        expires_at=row.credential.expires_at,
        version=row.credential.version,
        degraded=row.reason or None,
        asked=" ".join(row.scopes_asked),
        granted=" ".join(row.scopes_granted),
    )
    audit.record_for(row, "token.read_by_operator", actor, version=issued.version)
    return issued


def _connection(connection_id: UUID) -> Connection:
    rows = Connection.objects.select_related("registration", "credential__data_key")
    row = rows.filter(pk=connection_id).first()
    if row is None:
        raise errors.ConnectionNotFound()
    return row


def _seconds_left(row: Connection) -> float:
    stored = getattr(row, "credential", None)
    if stored is None:
        return 0.0
    return math.inf if stored.expires_at is None else (stored.expires_at - database_now()).total_seconds()
