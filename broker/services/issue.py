"""Give a usable token: the one service on the token path.

Fresh: one query, one unseal, no write. Not fresh: `renew`, or wait for whoever is renewing already, up to a deadline.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings

from broker import errors
from broker.services import callers, counts, credentials, directory, renew, sessions
from broker.services.callers import PresentedKey
from broker.services.renewal_outcomes import Outcome
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import Connection, Operation, State
from tenants.querysets.hand_out import HandOut
from tenants.querysets.rows import database_now
from tenants.vault import WrappedKey

Find = Callable[[str], HandOut | None]
_SERVED = (State.CONNECTED.value, State.DEGRADED.value)
# Without a wish of the caller's, a token is renewed a minute before its end; one that lives for minutes, a quarter.
_DEFAULT_MIN_TTL_SECONDS, _DEFAULT_SHARE = 60.0, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What a caller gets. `headers` are ready to be sent to base_url; both hold or reach secrets: never log them."""

    credential: OAuthCredential
    expires_at: datetime | None
    version: int
    base_url: str
    headers: dict[str, str] = field(repr=False)
    degraded: str | None

    def as_json(self) -> dict[str, object]:
        """Return the answer's members: the only place where an access token becomes part of a response."""
        return {
            "access_token": self.credential.access_token.reveal(),
            "token_type": self.credential.token_type,
            "expires_at": self.expires_at,
            "scope": " ".join(self.credential.scope),
            "version": self.version,
            "base_url": self.base_url,
            "headers": self.headers,
            "degraded": self.degraded,
        }


def issue_access_token(presented: PresentedKey, find: Find, *, min_ttl: int | None) -> IssuedToken:
    """Return an access token that is valid for at least min_ttl seconds.

    Raises: the errors of broker.errors that docs/errors.md lists for this route.
    Effects: none when fresh; otherwise those of `renew`.
    """
    row = _checked(presented, find(presented.key_id))
    if _fresh(row, min_ttl):
        return _hand_out(presented, row)
    return _hand_out(presented, _renewed(presented, find, row, min_ttl))


def _checked(presented: PresentedKey, row: HandOut | None) -> HandOut:
    grant = callers.check_hand_out(presented, row)
    assert row is not None
    callers.may(grant, Operation.TOKEN_READ.value)
    if row.matches > 1 and callers.may_see(grant, tenant_id=row.tenant_id, provider_id=row.provider_id):
        raise errors.ConnectionAmbiguous()
    if row.connection_id is None or not callers.may_see(grant, tenant_id=row.tenant_id, provider_id=row.provider_id):
        raise errors.ConnectionNotFound()
    if row.state not in _SERVED:
        raise _refusal(row)
    return row


def _refusal(row: HandOut) -> errors.BrokerError:
    if row.state == State.DISCONNECTED:
        return errors.ConnectionDisconnected()
    if row.state == State.SUSPENDED:
        return errors.ConnectionSuspended()
    assert row.connection_id is not None
    connection = Connection.objects.select_related("tenant", "registration").get(pk=row.connection_id)
    url = sessions.repair_link(connection).url
    if row.state == State.PENDING:
        return errors.ConnectionPending(connect_url=url)
    return errors.ReauthorizationRequired(
        connection.get_reason_display(), connect_url=url, extra={"reason": row.reason}
    )


def _fresh(row: HandOut, min_ttl: int | None) -> bool:
    if row.sealed is None:
        return False
    if row.seconds_left is None:
        return True
    wanted = min(_DEFAULT_MIN_TTL_SECONDS, row.life_seconds * _DEFAULT_SHARE) if min_ttl is None else min_ttl
    return row.seconds_left >= max(wanted, 1.0)


def _renewed(presented: PresentedKey, find: Find, row: HandOut, min_ttl: int | None) -> HandOut:
    """Renew, or wait for whoever does, and return the row that is fresh then."""
    if min_ttl is not None and row.sealed is not None and min_ttl > row.life_seconds:
        raise errors.MinTtlUnattainable(f"this provider's tokens live for {row.life_seconds:.0f} s")
    assert row.connection_id is not None
    outcome = renew.renew_now(row.connection_id, version=row.version)
    deadline = time.monotonic() + settings.TOKEN_WAIT_SECONDS
    while True:
        row = _checked(presented, find(presented.key_id))
        if _fresh(row, min_ttl):
            return row
        if outcome is not Outcome.BUSY or time.monotonic() > deadline:
            return _stale_but_valid(row, min_ttl, outcome)
        time.sleep(random.uniform(0.1, 0.25))  # noqa: S311  jitter


def _stale_but_valid(row: HandOut, min_ttl: int | None, outcome: Outcome) -> HandOut:
    """A token that still works beats a refusal, unless the caller named a min_ttl: that is a promise."""
    if min_ttl is None and row.seconds_left is not None and row.seconds_left > 1:
        return row
    raise _unavailable(outcome)


def _unavailable(outcome: Outcome) -> errors.BrokerError:
    if outcome is Outcome.CLIENT_REJECTED:
        return errors.RegistrationRejected(retry_after=60)
    if outcome is Outcome.STORAGE_FAULT:
        return errors.StorageFault()
    if outcome is Outcome.MALFORMED:
        return errors.ProviderResponseUnusable(retry_after=10)
    if outcome is Outcome.UNSUPPORTED:
        return errors.OperationUnsupported("this connection's token has ended and the provider cannot renew it")
    if outcome in (Outcome.BUSY, Outcome.FENCE_LOST, Outcome.FRESH, Outcome.RENEWED):
        return errors.RenewalInProgress(retry_after=1)
    return errors.ProviderUnavailableNow(retry_after=10)


def _hand_out(presented: PresentedKey, row: HandOut) -> IssuedToken:
    assert row.connection_id is not None
    assert row.sealed is not None
    key = WrappedKey(id=row.data_key_id, tenant_id=row.tenant_id, kek_version=row.kek_version, wrapped=row.wrapped)
    try:
        credential = credentials.open_handed_out(
            key, connection_id=row.connection_id, version=row.version, sealed=row.sealed
        )
    except TenantsError:
        raise errors.StorageFault() from None
    counts.reads.add((row.connection_id, row.tenant_id, row.caller_id), version=row.version, key_id=presented.key_id)
    degraded = row.reason if row.state == State.DEGRADED else None
    return _issued(row.provider_id, row.environment, credential, row.expires_at, row.version, degraded)


def _issued(
    provider_id: str,
    environment: str,
    credential: OAuthCredential,
    expires_at: datetime | None,
    version: int,
    degraded: str | None,
) -> IssuedToken:
    provider = directory.provider(provider_id)
    registration = Registration(provider_id=provider_id, environment=environment, client_id="")
    return IssuedToken(
        credential=credential,
        expires_at=expires_at,
        version=version,
        base_url=provider.base_url(registration),
        headers=provider.api_headers(registration, credential),
        degraded=degraded,
    )


def issue_to_operator(connection_id: UUID, *, min_ttl: int, actor: Actor) -> IssuedToken:
    """Return an access token to somebody at the command line: no API key, but an audit event with a name.

    Raises: ConnectionNotFound, and what a caller would be told. Effects: those of `renew`, one audit event.
    """
    row = _connection(connection_id)
    if _seconds_left(row) < min_ttl and row.state in _SERVED:
        outcome = renew.renew_now(row.pk)
        row = _connection(connection_id)
        if _seconds_left(row) < min_ttl and row.state in _SERVED:
            raise _unavailable(outcome)
    if row.state not in _SERVED:
        raise errors.ReauthorizationRequired(f"{row.get_state_display()}: {row.get_reason_display()}")
    try:
        credential = credentials.open_current(row.credential, row.tenant_id)
    except TenantsError:
        raise errors.StorageFault() from None
    audit.record_for(row, "token.read_by_operator", actor, version=row.credential.version)
    stored, reason = row.credential, row.reason or None
    return _issued(row.provider_id, row.registration.environment, credential, stored.expires_at, stored.version, reason)


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
