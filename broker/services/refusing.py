"""The provider's API has refused a credential: one more word from the provider decides, however many callers report it.

Renewed where there is something to renew with, else asked by one harmless call; the answer is the verdict on a report.
"""

import logging
import random
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from broker.errors import BrokerError
from broker.services import incidents, minting, presence, probing, renew, second_looks, states
from broker.services.minting import Minted
from broker.services.renewal_attempt import Outcome
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    DefinitionError,
    GrantRejected,
    ProviderError,
    RequestRefused,
    RightMissing,
    UnsupportedOperation,
)
from tenants.errors import TenantsError
from tenants.models import Connection, Credential, Reason, RenewalSlot, State
from tenants.querysets import minted, slots
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
DEAD, RENEWED, UNAVAILABLE, OTHER = "confirmed_dead", "renewed", "provider_unavailable", "not_a_token_problem"
_AT_THE_PROVIDER = {Outcome.RIGHT_MISSING: "right_missing", Outcome.ACCOUNT_UNVERIFIED: "account_unverified"}


def renewed(connection: Connection, version: int) -> str:
    """Return the verdict after one verified renewal."""

    def newer() -> bool:
        return _version(connection) > version

    outcome = _once(connection, lambda: renew.renew_reported(connection.id, version=version), newer)
    if _dead(connection):
        return DEAD
    return RENEWED if newer() else _AT_THE_PROVIDER.get(outcome, UNAVAILABLE)


def scoped(connection: Connection, scopes: tuple[str, ...], version: int) -> str:
    """Return the verdict after one more token for these scopes was asked for."""
    key = minting.key_of(scopes)
    found = minted.standing(connection.id, key)
    if found is not None and found.came_of_a_report:
        return OTHER

    def newer() -> bool:
        current = minted.standing(connection.id, key)
        return current is not None and current.version > version

    def again() -> Outcome:
        came: Minted = minting.mint_reported(connection.id, scopes, version=version)
        return came.outcome

    outcome = _once(connection, again, newer)
    if outcome is Outcome.SUSPECT:
        # API and token endpoint have each said no to one set of scopes; what the connection itself is for decides.
        renew.renew_reported(connection.id, version=_version(connection))
    if _dead(connection):
        return DEAD
    if outcome is Outcome.INVALID_SCOPE:
        return "scope_missing"
    return RENEWED if newer() else _AT_THE_PROVIDER.get(outcome, UNAVAILABLE)


def _once(connection: Connection, attempt: Callable[[], Outcome], newer: Callable[[], bool]) -> Outcome:
    outcome = attempt()
    deadline = time.monotonic() + settings.TOKEN_WAIT_SECONDS
    while outcome is Outcome.BUSY and time.monotonic() < deadline and not (newer() or _dead(connection)):
        _pause()
        # Whoever was renewing may have ended in doubt; then it is this report that decides.
        outcome = attempt()
    return outcome


def _pause() -> None:
    # Those who are waited for need the pool's connections more than those who wait.
    if not database.in_atomic_block:
        database.close()
    time.sleep(random.uniform(0.1, 0.25))  # noqa: S311  jitter


def asked(connection: Connection, version: int) -> str:
    """Return the verdict after one harmless call with the stored credential; where none can be made, a no is final."""
    lease = settings.RENEWAL_LEASE_SECONDS
    claim = slots.claim_probe(connection.id, version, owner=presence.owner(), lease_seconds=lease)
    if claim is None:
        return _what_others_found(connection)
    error = _probed(connection)
    if isinstance(error, GrantRejected | UnsupportedOperation):
        return _refused(connection, claim, version, error)
    failure = _failure(connection, error)
    slots.end_probe(claim, failure=failure)
    return _FOUND[failure]


# What stays with the slot, for those who reported the same version meanwhile.
_FOUND = {
    "": OTHER,
    "right_missing": "right_missing",
    "account_unverified": "account_unverified",
    "app_broken": UNAVAILABLE,
    "suspect": UNAVAILABLE,
    "transient": UNAVAILABLE,
    "internal": UNAVAILABLE,
}


def _probed(connection: Connection) -> Exception | None:
    try:
        probing.probe(connection.id)
    except (ProviderError, DefinitionError, TenantsError, BrokerError) as error:
        return error
    except Exception as error:
        logger.exception("asking the provider broke", extra={"connection_id": connection.id})
        return error
    return None


def _failure(connection: Connection, error: Exception | None) -> str:
    """Write down what the answer means for connection or registration, and return the word for it."""
    if error is None:
        probing.heal(connection)
        incidents.heal(connection)
        return ""
    if isinstance(error, RightMissing):
        return "right_missing"
    if isinstance(error, AccountUnverified):
        states.move(connection, State.DEGRADED, Reason.ACCOUNT_UNVERIFIED, only_from=states.LIVE, error=error.error)
        return "account_unverified"
    if isinstance(error, ClientRejected | RequestRefused):
        incidents.report(connection, error)
        return "app_broken"
    return "transient" if isinstance(error, ProviderError) else "internal"


def _refused(connection: Connection, claim: Claim, version: int, error: ProviderError) -> str:
    if second_looks.may_end(connection, claim, version):
        return _buried(connection, claim, error)
    # Untouched: whether it is this credential or our own key that is refused, the next report tells.
    slots.end_probe(claim, failure="suspect", suspect_version=second_looks.suspect(claim, version))
    return UNAVAILABLE


def _buried(connection: Connection, claim: Claim, error: ProviderError) -> str:
    with transaction.atomic():
        # Somebody who connected again meanwhile has taken the slot: this no was not for the new credential.
        if not slots.park(claim, failure=Reason.GRANT_REVOKED.value):
            return "stale_version"
        refusal = error if isinstance(error, GrantRejected) else None
        states.move(
            connection,
            State.REAUTHORIZATION_REQUIRED,
            Reason.GRANT_REVOKED,
            only_from=states.LIVE,
            error=refusal and refusal.error,
            description=refusal.description if refusal else "",
            error_id=refusal and refusal.error_id,
        )
    return DEAD


def _what_others_found(connection: Connection) -> str:
    deadline = time.monotonic() + settings.TOKEN_WAIT_SECONDS
    while slots.held(connection.id) and time.monotonic() < deadline:
        _pause()
    if _dead(connection):
        return DEAD
    if slots.held(connection.id):
        return UNAVAILABLE
    failure = RenewalSlot.objects.filter(pk=connection.id).values_list("failure_class", flat=True).first()
    return _FOUND.get(failure or "", UNAVAILABLE)


def _dead(connection: Connection) -> bool:
    connection.refresh_from_db(fields=["state", "reason"])
    return connection.state == State.REAUTHORIZATION_REQUIRED


def _version(connection: Connection) -> int:
    return Credential.objects.filter(connection_id=connection.id).values_list("version", flat=True).first() or 0
