"""A request that carries an Idempotency-Key has its effect once, however often it arrives.

Source: draft-ietf-httpapi-idempotency-key-header.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from django.db import OperationalError, transaction

from broker.errors import IdempotencyKeyReused, IdempotentRequestAtWork
from broker.services import credentials
from tenants.models import IdempotentRequest
from tenants.querysets import idempotent


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A request with its key. Shape: fingerprint is a hash of all that makes it this request."""

    caller_id: UUID
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the request was answered. `again`: by an earlier one with the same key."""

    status: int
    body: bytes = field(repr=False)
    again: bool = False


Work = Callable[[], Answer]


def in_one_transaction(keyed: Keyed, work: Work) -> Answer:
    """Do the work, or give the answer that it had before; its rows and its answer are committed together.

    A refusal or a crash leaves nothing: whoever repeats the request does it for the first time.
    Raises: IdempotencyKeyReused, IdempotentRequestAtWork, and what the work raises.
    """
    with transaction.atomic():
        row_id = _claimed(keyed)
        if row_id is not None:
            answer = work()
            _keep(row_id, answer)
            return answer
    return _given_before(keyed)


def in_steps(keyed: Keyed, work: Work) -> Answer:
    """As in_one_transaction, for work that commits several times or talks to a provider in between.

    The work has to be of the kind that may be done twice: when a process dies at it, whoever repeats the request
    after a minute does it again.
    """
    row_id = _claimed(keyed)
    if row_id is None:
        return _given_before(keyed)
    try:
        answer = work()
    except BaseException:
        IdempotentRequest.objects.filter(pk=row_id, status=None).delete()
        raise
    _keep(row_id, answer)
    return answer


def _claimed(keyed: Keyed) -> int | None:
    try:
        return idempotent.claim(keyed.caller_id, keyed.key, keyed.fingerprint)
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise
        # The first one's transaction is open for longer than a lock is waited for.
        raise IdempotentRequestAtWork(retry_after=1) from None


def _keep(row_id: int, answer: Answer) -> None:
    row = IdempotentRequest(pk=row_id)
    sealed = credentials.seal(row.seal_context(), answer.body)
    rows = IdempotentRequest.objects.filter(pk=row_id)
    rows.update(status=answer.status, sealed=sealed.blob, data_key=sealed.key)


def _given_before(keyed: Keyed) -> Answer:
    found = idempotent.standing(keyed.caller_id, keyed.key)
    if found is not None and found.fingerprint != keyed.fingerprint:
        raise IdempotencyKeyReused()
    if found is None or found.status is None:
        raise IdempotentRequestAtWork(retry_after=1)
    row = IdempotentRequest.objects.select_related("data_key").get(pk=found.id)
    assert row.data_key is not None
    assert row.sealed is not None
    body = credentials.unseal(row.data_key, row.seal_context(), row.sealed)
    return Answer(status=found.status, body=body, again=True)
