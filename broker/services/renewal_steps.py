"""The steps of every renewal, for one connection or for many at once.

Claimed slots (one conditional update: lease, fence + 1, intent) -> `prepare`: read again, and do everything that can
fail -> `mark` the intent to send -> `send`: one POST, with no database in reach -> `conclude`: commit the pairs first,
and only then look closer. `renewal_commit` and `renewal_outcomes` hold what follows from each answer.
"""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import connection as database

from broker.services import credentials, directory, gates, renewal_commit, renewal_outcomes, states
from broker.services.renewal_attempt import Answer, Attempt, NotSent, Outcome
from providers.errors import ClientRejected, GrantRejected, ProviderError, UnsupportedOperation
from providers.interface import RENEWS, Renews
from providers.messages import ClientRegistration as Registration
from providers.messages import OAuthCredential, TokenResponse
from tenants.models import Connection, DataKey
from tenants.querysets import slots
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
_Registrations = dict[UUID, tuple[Registration, ...]]


class _NothingToRenew(Exception):
    """The connection is not in use, or holds nothing."""


class _NewerThere(Exception):
    """Somebody else has renewed meanwhile."""


def prepare(
    claims: Sequence[Claim], *, confirmed: bool = False, unless_newer_than: int | None = None
) -> tuple[list[Attempt], list[Outcome]]:
    """Return what can be sent, and how those claims ended that cannot: they are given back, each with its reason.

    Effects: one query for all, one more where a tenant's sealing key has been replaced.
    """
    if database.in_atomic_block:
        raise RuntimeError("a renewal inside a transaction would hold it open for the provider's whole answer")
    attempts, ended = [], []
    found = _rows(claims)
    registrations: _Registrations = {}
    for claim in claims:
        try:
            row = _usable(found.get(claim.connection_id), unless_newer_than)
            attempts.append(_attempt(claim, row, registrations, confirmed))
        except Exception as error:
            # One row that cannot be read must not keep the others of its batch from being renewed.
            ended.append(_not_sent(claim, error))
    sendable = []
    for attempt in attempts:
        if (wait := renewal_outcomes.wait_in_doubt(attempt)) > 0:
            ended.append(renewal_outcomes.stay_in_doubt(attempt, wait))
        elif (wait := renewal_outcomes.too_early(attempt)) > 0:
            slots.finish(attempt.claim, due_in_seconds=wait)
            ended.append(Outcome.FRESH)
        else:
            sendable.append(attempt)
    return sendable, ended


def _rows(claims: Sequence[Claim]) -> Mapping[UUID, Connection]:
    # Unordered: putting the model's own order together costs an eighth of all preparing.
    rows = Connection.objects.order_by().select_related("registration__data_key", "credential__data_key")
    return rows.in_bulk([claim.connection_id for claim in claims])


def _usable(row: Connection | None, unless_newer_than: int | None) -> Connection:
    """The connection as it is now that the slot is ours."""
    if row is None or row.state not in states.LIVE or not hasattr(row, "credential"):
        raise _NothingToRenew
    if unless_newer_than is not None and row.credential.version > unless_newer_than:
        raise _NewerThere
    return row


def _attempt(claim: Claim, row: Connection, registrations: _Registrations, confirmed: bool) -> Attempt:
    provider = directory.provider(row.provider_id)
    if row.registration_id not in registrations:
        opened = credentials.registration_value(row.registration)
        registrations[row.registration_id] = tuple(gates.secret_order(opened, row.registration_id))
    ways = registrations[row.registration_id]
    # Raises for an environment that the catalogue lost.
    provider.environment(ways[0])
    credential = credentials.open_current(row.credential, row.tenant_id)
    if not isinstance(provider, Renews) or not isinstance(credential, OAuthCredential):
        raise provider.unsupported(RENEWS)
    return Attempt(
        claim=claim,
        connection=row,
        provider=provider,
        registrations=ways,
        credential=credential,
        traits=provider.traits(ways[0]),
        data_key=_sealing_key(row),
        confirmed=confirmed,
        chance=random.random(),  # noqa: S311  jitter
    )


def _sealing_key(row: Connection) -> DataKey:
    held = row.credential.data_key
    return held if held.active else credentials.active_data_key(row.tenant_id)


def _not_sent(claim: Claim, error: Exception) -> Outcome:
    if isinstance(error, _NothingToRenew):
        # Until somebody connects or resumes: parked, or every sweep would claim it again.
        slots.park(claim, failure="")
        return Outcome.FRESH
    if isinstance(error, _NewerThere):
        slots.release(claim)
        return Outcome.FRESH
    if isinstance(error, UnsupportedOperation):
        return renewal_outcomes.unsupported(claim)
    return renewal_outcomes.preparation_failed(claim, error)


def mark(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that may be sent now: their intent is durable. Effects: one statement for all."""
    if not attempts:
        return []
    claims = [attempt.claim for attempt in attempts]
    now = time.monotonic()
    ours = slots.mark_sending_many(claims, lease_seconds=settings.RENEWAL_LEASE_SECONDS)
    return [replace(attempt, marked_at=now) for attempt in attempts if attempt.connection.id in ours]


def send(attempt: Attempt) -> Answer:
    """Return what the provider answered, or what went wrong: it never raises.

    Effects: one POST; one more with the other client secret after `invalid_client`, which uses nothing up. No database.
    """
    started = time.monotonic()
    if started - attempt.marked_at > _spare_seconds():
        # This process was held up. With the lease over, somebody else may be sending the same refresh token.
        return not_sent(attempt)
    last = len(attempt.registrations) - 1
    for place, registration in enumerate(attempt.registrations):
        response, error = _post(attempt, registration)
        elapsed = time.monotonic() - started
        if place < last and _may_be_the_secret(error) and elapsed < _spare_seconds():
            continue
        return Answer(attempt=attempt, response=response, error=error, elapsed_seconds=elapsed, registration=place)
    raise AssertionError("a registration without any way to authenticate")


def not_sent(attempt: Attempt) -> Answer:
    """Return the answer of an attempt that was marked and never left, so that `conclude` gives it back."""
    return Answer(attempt=attempt, error=NotSent())


def _post(attempt: Attempt, registration: Registration) -> tuple[TokenResponse | None, Exception | None]:
    try:
        return attempt.provider.renew(registration, attempt.credential), None
    except ProviderError as error:
        return None, error
    except Exception as error:
        # Whatever it was, the request may have left: the intent must survive as uncertain, never be forgotten.
        logger.exception("renewal broke while sending", extra={"connection_id": attempt.connection.id})
        return None, error


def _may_be_the_secret(error: Exception | None) -> bool:
    return isinstance(error, ClientRejected) and error.error in ("invalid_client", "unauthorized_client")


def _spare_seconds() -> float:
    """How late a request may still begin, so that it ends well within the lease."""
    return settings.RENEWAL_LEASE_SECONDS - settings.OUTBOUND_TIMEOUT_SECONDS - 3.0


def conclude(answers: Sequence[Answer], *, patient: bool = True) -> list[Outcome]:
    """Return what came of each answer, in their order.

    Shape:  patient waits within the lease for a database that is away; who is not leaves the pairs in the escrow.
    Effects: the pairs of all that succeeded are committed together, before anything else is looked at.
    """
    good = [answer for answer in answers if answer.response is not None]
    outcomes = dict(zip(map(id, good), renewal_commit.succeeded(good, patient=patient), strict=True))
    for answer in answers:
        if answer.response is None:
            outcomes[id(answer)] = _failed(answer)
        _note_secret(answer)
    return [outcomes[id(answer)] for answer in answers]


def _note_secret(answer: Answer) -> None:
    """While a client secret is being replaced: remember which one the provider knows. Only a definite answer tells."""
    attempt, error = answer.attempt, answer.error
    definite = error is None or isinstance(error, GrantRejected)
    if len(attempt.registrations) > 1 and definite:
        gates.secret_worked(attempt.connection.registration_id, attempt.registrations[answer.registration])


def _failed(answer: Answer) -> Outcome:
    try:
        if isinstance(answer.error, NotSent):
            slots.give_back_unsent(answer.attempt.claim)
            return Outcome.BUSY
        return renewal_outcomes.failed(answer)
    except Exception:
        # The lease ends by itself, and the slot is then taken for what it is: an answer that nobody has heard.
        logger.exception("an answer could not be recorded", extra={"connection_id": answer.attempt.connection.id})
        return Outcome.STORAGE_FAULT
