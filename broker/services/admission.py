"""Who may be handed what: the checks that every hand-out makes, in the order that tells strangers nothing."""

import json
from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType

from broker import errors
from broker.services import callers, directory, policy, sessions
from broker.services.callers import PresentedKey
from broker.services.known_keys import known_keys
from broker.services.policy import Grant
from broker.services.strangers import strangers
from providers.errors import DefinitionError, ProviderError
from providers.messages import ClientRegistration as Registration
from providers.registry import AnyProvider
from tenants.models import Connection, Operation, State
from tenants.querysets.hand_out import HandOut, Known

# Of a key id, or of a key that was read a moment ago.
Find = Callable[[str | Known], HandOut | None]
SERVED = (State.CONNECTED.value, State.DEGRADED.value)
# Without a wish of the caller's, a token is renewed a minute before its end; one that lives for minutes, a quarter.
_DEFAULT_MIN_TTL_SECONDS, _DEFAULT_SHARE = 60.0, 0.25


def look_up(presented: PresentedKey, find: Find) -> HandOut | None:
    """Return the row for a key that may be looked up. Raises RateLimited. Effects: one query."""
    known = known_keys.find(presented)
    if known is not None:
        return find(known)
    strangers.check(presented.secret_hash, presented.source)
    asked_at = known_keys.now()
    row = find(presented.key_id)
    if row is not None:
        known_keys.remember(presented, row, asked_at)
    return row


def admit(presented: PresentedKey, row: HandOut | None, needed: str, *, cost: int = 1) -> HandOut:
    """Return the row when this key may have what it holds, and the provider can do what is needed.

    Shape:  cost is how many requests this counts as: none for a second look.
    Raises: Unauthenticated, SourceNotAllowed, CallerThrottled, RateLimited, and those of `admit_to`.
    """
    grant = callers.enter(presented, row, cost)
    assert row is not None
    return admit_to(grant, row, needed)


def admitted(grant: Grant, row: HandOut, needed: str) -> bool:
    """Tell whether admit_to would let this row pass, for a caller that may read tokens. It costs a third."""
    return bool(
        row.tenant_allowed
        and row.state in SERVED
        and row.matches == 1
        and policy.serves(grant, row.provider_id)
        and needed in directory.provider(row.provider_id).capabilities
    )


def admit_to(grant: Grant, row: HandOut, needed: str) -> HandOut:
    """As admit, for a caller that is in already.

    Raises: Forbidden, ConnectionNotFound, ConnectionAmbiguous, OperationUnsupported, and for each state that is not
            served its own error.
    """
    policy.may(grant, Operation.TOKEN_READ.value)
    seen = row.tenant_allowed and policy.serves(grant, row.provider_id)
    if row.matches > 1 and seen:
        raise errors.ConnectionAmbiguous()
    if row.connection_id is None or not seen:
        raise policy.unseen(grant, row.connection_id)
    provider = directory.provider(row.provider_id)
    if needed not in provider.capabilities:
        raise directory.unsupported(provider.unsupported(needed))
    if row.state not in SERVED:
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


def lives_long_enough(seconds_left: float | None, life_seconds: float, min_ttl: int | None) -> bool:
    """Tell whether a token is still good for what is asked; None seconds left: it does not end."""
    if seconds_left is None:
        return True
    wanted = min(_DEFAULT_MIN_TTL_SECONDS, life_seconds * _DEFAULT_SHARE) if min_ttl is None else min_ttl
    return seconds_left >= max(wanted, 1.0)


def registration(row: HandOut) -> Registration:
    """Return the registration's public part, as far as the hand-out query brings it: neither secrets nor scopes."""
    return _registration(row.provider_id, row.environment, row.client_id, row.parameters)


# Read for every token, changed hardly ever; a changed registration is another key.
@lru_cache(maxsize=4096)
def _registration(provider_id: str, environment: str, client_id: str, parameters: str) -> Registration:
    return Registration(
        provider_id=provider_id,
        environment=environment,
        client_id=client_id,
        parameters=MappingProxyType(json.loads(parameters)),
    )


def base_url(provider: AnyProvider, registration: Registration) -> str:
    """Return where the provider's API lives. Raises RegistrationRejected for a parameter that became impossible."""
    try:
        return provider.base_url(registration)
    except (ProviderError, DefinitionError) as error:
        raise errors.RegistrationRejected(f"the client registration cannot be used: {error}") from None


def degraded(row: HandOut) -> str | None:
    """Return why the connection needs attention although it is served."""
    return row.reason if row.state == State.DEGRADED else None


def in_trouble(row: HandOut, note: str | None) -> HandOut:
    """Return the row as that of a connection whose renewal has just failed; unchanged where that is known already."""
    if note is None or row.state == State.DEGRADED:
        return row
    return row._replace(state=State.DEGRADED.value, reason=note)
