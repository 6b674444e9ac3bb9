"""A provider has answered with tokens: make them durable before anything else is looked at."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from broker.services import (
    credential_text,
    credentials,
    escrow,
    granted,
    incidents,
    orphans,
    renewal_outcomes,
    schedule,
    states,
)
from broker.services.renewal_attempt import Answer, Attempt, Outcome
from providers.messages import OAuthCredential
from tenants.models import Connection, Reason, State
from tenants.models.credential import credential_context
from tenants.querysets import pairs
from tenants.querysets.pairs import NewPair, Standing

logger = logging.getLogger(__name__)
_RETRY_SECONDS = 0.2
# What a fresh token says nothing about.
_STAYS = (Reason.ACCOUNT_UNVERIFIED, Reason.ACCOUNT_MISMATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """The credential that an answer brought, open and sealed."""

    attempt: Attempt
    fresh: OAuthCredential
    pair: NewPair


def succeeded(answers: Sequence[Answer], *, patient: bool = True) -> list[Outcome]:
    """Return what came of answers that hold tokens, in their order.

    Effects: one statement commits all pairs; a writer without its fence keeps its pair as an orphan; while the database
             is away, each pair goes to the escrow at once, and who is patient tries again for as long as the lease
             lasts. One that cannot be written to the escrow either is tried for as long as this process lives.
    """
    arrivals = [_arrival(answer) for answer in answers]
    outcomes = _stored_together([one for one in arrivals if isinstance(one, _Arrival)], patient)
    return [outcomes[id(one)] if isinstance(one, _Arrival) else one for one in arrivals]


def put_aside(answers: Sequence[Answer]) -> list[Answer]:
    """Return those of the answers whose tokens are in the escrow now, for whoever replays it. No database."""
    aside = []
    for answer in answers:
        arrival = _arrival(answer) if answer.response is not None else None
        if isinstance(arrival, _Arrival) and (path := _to_escrow(arrival)):
            escrow.leave(path)
            aside.append(answer)
    return aside


def _arrival(answer: Answer) -> _Arrival | Outcome:
    assert answer.response is not None
    attempt = answer.attempt
    fresh = credentials.merge(answer.response, attempt.credential, tuple(attempt.connection.scopes_asked))
    expires_in = answer.response.expires_in
    life = None if expires_in is None else max(expires_in - answer.elapsed_seconds, 1.0)
    try:
        return _Arrival(attempt=attempt, fresh=fresh, pair=_sealed(attempt, fresh, life))
    except Exception:
        # The key opened the old credential a moment ago. One that cannot be sealed must not cost the others theirs.
        logger.exception("a renewed pair cannot be sealed", extra={"connection_id": attempt.connection.id})
        return renewal_outcomes.broke(attempt)


def _sealed(attempt: Attempt, fresh: OAuthCredential, life: float | None) -> NewPair:
    row, fence = attempt.connection, attempt.claim.fence
    context = credential_context(row.tenant_id, row.id, fence)
    return NewPair(
        connection_id=row.id,
        fence=fence,
        sealed=credentials.seal_under(attempt.data_key, context, credential_text.encode(fresh)).blob,
        data_key_id=attempt.data_key.id,
        fingerprint=credentials.fingerprint_of(attempt.data_key, fresh),
        life_seconds=life,
        due_in_seconds=schedule.due_in(life, attempt.chance, attempt.traits),
    )


def _stored_together(arrivals: Sequence[_Arrival], patient: bool) -> dict[int, Outcome]:
    paths: dict[int, Path | None] = {}
    try:
        stood = pairs.commit([one.pair for one in arrivals])
    except DatabaseError as error:
        logger.warning("renewed pairs not written yet", extra={"count": len(arrivals), "failure": type(error).__name__})
        stood = {}
        # All of them before any is tried again: this process may not live to the end of the trying.
        paths = {id(one): _to_escrow(one) for one in arrivals}
    known = [(one, stood.get(one.pair.connection_id)) for one in arrivals]
    outcomes = {id(one): _look_closer(one, standing) for one, standing in known if standing}
    return outcomes | _stored_singly([one for one, standing in known if not standing], paths, patient)


def _stored_singly(waiting: list[_Arrival], paths: dict[int, Path | None], patient: bool) -> dict[int, Outcome]:
    """Repeat the writes while the lease lasts; what is not written by then stays in the escrow."""
    lasts = settings.RENEWAL_LEASE_SECONDS - settings.OUTBOUND_TIMEOUT_SECONDS if patient else 0.0
    deadline = time.monotonic() + lasts
    outcomes: dict[int, Outcome] = {}
    while waiting:
        waiting = _one_pass(waiting, paths, outcomes)
        if waiting and time.monotonic() > deadline:
            waiting = _left_in_escrow(waiting, paths, outcomes)
        if waiting:
            time.sleep(_RETRY_SECONDS)
    return outcomes


def _left_in_escrow(
    waiting: list[_Arrival], paths: dict[int, Path | None], outcomes: dict[int, Outcome]
) -> list[_Arrival]:
    """Return those that are in memory alone."""
    safe = [one for one in waiting if paths.get(id(one))]
    for one in safe:
        escrow.leave(paths[id(one)])
        outcomes[id(one)] = Outcome.STORAGE_FAULT
    logger.error("renewed pairs stay in the escrow", extra={"count": len(safe)})
    return [one for one in waiting if id(one) not in outcomes]


def _one_pass(waiting: list[_Arrival], paths: dict[int, Path | None], outcomes: dict[int, Outcome]) -> list[_Arrival]:
    """Try each once, and return what is still to be written: all of the rest as soon as the database is away."""
    left: list[_Arrival] = []
    for place, one in enumerate(waiting):
        try:
            standing = _settled(one)
        except DatabaseError as error:
            database.close()
            away = isinstance(error, OperationalError | InterfaceError)
            failed = waiting[place:] if away else [one]
            paths.update({id(other): paths.get(id(other)) or _to_escrow(other) for other in failed})
            left += failed
            if away:
                return left
            continue
        escrow.forget(paths.get(id(one)))
        outcomes[id(one)] = _look_closer(one, standing) if standing else Outcome.FENCE_LOST
    return left


def _settled(one: _Arrival) -> Standing | None:
    """Where the pair went: None when its fence was lost, and an orphan has it."""
    pair, attempt = one.pair, one.attempt
    stood = pairs.commit([pair]).get(pair.connection_id) or pairs.standing(pair.connection_id, pair.fence)
    if stood is None:
        orphans.keep_late(
            attempt.connection,
            pair.fence,
            one.fresh,
            attempt.credential,
            pair.life_seconds,
            attempt.chance,
            sent_version=attempt.connection.credential.version,
        )
    return stood


def _to_escrow(one: _Arrival) -> Path | None:
    row = one.attempt.connection
    return escrow.keep(one.pair, tenant_id=row.tenant_id, sent=row.credential)


def _look_closer(one: _Arrival, standing: Standing) -> Outcome:
    """Only after the commit: compare scopes, heal what was broken. Whatever fails here, the pair is safe."""
    row = one.attempt.connection
    try:
        row.state, row.reason = standing.state, standing.reason
        if standing.scopes_granted != one.fresh.scope:
            granted.note(row, standing.scopes_granted, one.fresh.scope)
        _move(row, standing, sorted(set(row.scopes_asked) - set(one.fresh.scope)) if one.fresh.scope else [])
        incidents.heal(row)
    except DatabaseError:
        logger.exception("a renewed connection could not be looked at", extra={"connection_id": row.pk})
    return Outcome.RENEWED


def _move(row: Connection, standing: Standing, missing: list[str]) -> None:
    if missing:
        states.move(row, State.DEGRADED, Reason.SCOPE_MISSING, only_from=states.LIVE, missing=missing)
    elif (standing.state, standing.reason) != (State.CONNECTED, Reason.NONE) and standing.reason not in _STAYS:
        states.move(row, State.CONNECTED, only_from=states.LIVE)
