"""Give many tokens at once: one look at the caller, one query for all connections, a verdict for each."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connections

from broker import errors
from broker.errors import BrokerError
from broker.services import admission, counts, issue, policy
from broker.services.callers import PresentedKey
from broker.services.issue import Wanted
from providers.interface import HANDS_OUT_TOKENS
from tenants.models import Operation
from tenants.querysets import hand_out
from tenants.querysets.hand_out import HandOut, Named

# Renewals that one batch waits for at a time: others want tokens as well.
_AT_A_TIME = 4


class Asked(NamedTuple):
    """One token of a batch. Units: min_ttl in seconds."""

    named: Named
    min_ttl: int | None = None


class Verdict(NamedTuple):
    """What became of one: a token as JSON, or else the reason why there is none."""

    connection_id: UUID | None
    token: bytes | None = None
    error: BrokerError | None = None


def issue_tokens(presented: PresentedKey, asked: Sequence[Asked], *, wait_seconds: float | None) -> list[Verdict]:
    """Return a verdict for each, in the order asked.

    Raises: Unauthenticated, SourceNotAllowed, CallerThrottled, RateLimited, Forbidden: those of all of them.
    Effects: three queries; what is not fresh is renewed, a few at a time, until the time is over.
    """
    deadline = time.monotonic() + issue.patience(Wanted(wait_seconds=wait_seconds))
    key = admission.look_up(presented, hand_out.for_key)
    grant = admission.enter(presented, key, len(asked))
    assert key is not None
    policy.may(grant, Operation.TOKEN_READ.value)
    rows = hand_out.for_many(key, [one.named for one in asked])
    verdicts: list[Verdict | None] = []
    read: list[tuple[HandOut, bytes]] = []
    for row, one in zip(rows, asked, strict=True):
        try:
            if not admission.admitted(grant, row, HANDS_OUT_TOKENS):
                admission.admit_to(grant, row, HANDS_OUT_TOKENS)
            if issue.fresh(row, one.min_ttl):
                token, fingerprint = issue.as_answer(row)
                verdicts.append(Verdict(row.connection_id, token))
                read.append((row, fingerprint))
            else:
                verdicts.append(None)
        except errors.ConnectionNotFound as error:
            # The row may be another tenant's: its id, or that there is one, is not for this caller.
            verdicts.append(Verdict(None, error=error))
        except BrokerError as error:
            verdicts.append(Verdict(row.connection_id, error=error))
    counts.reads.add_many(presented, read)
    return _with_renewed(presented, rows, asked, verdicts, deadline)


def _with_renewed(
    presented: PresentedKey,
    rows: Sequence[HandOut],
    asked: Sequence[Asked],
    verdicts: Sequence[Verdict | None],
    deadline: float,
) -> list[Verdict]:
    """Return all verdicts: those that are missing are of tokens that have to be renewed first."""
    missing = [place for place, verdict in enumerate(verdicts) if verdict is None]
    if not missing:
        return [verdict for verdict in verdicts if verdict is not None]
    with ThreadPoolExecutor(min(_AT_A_TIME, len(missing))) as threads:
        work = partial(_renewed, presented, deadline=deadline)
        found = threads.map(work, (rows[place] for place in missing), (asked[place].min_ttl for place in missing))
        late = dict(zip(missing, found, strict=True))
    return [late[place] if verdict is None else verdict for place, verdict in enumerate(verdicts)]


def _renewed(presented: PresentedKey, row: HandOut, min_ttl: int | None, *, deadline: float) -> Verdict:
    left = deadline - time.monotonic()
    try:
        if left <= 0:
            raise errors.RenewalInProgress("there was no time left for this one; ask again", retry_after=1)
        find = partial(hand_out.for_token, named=Named(row.connection_id))
        fresh = issue.usable(presented, find, HANDS_OUT_TOKENS, row, Wanted(min_ttl, left))
        token, fingerprint = issue.as_answer(fresh)
        counts.reads.add_many(presented, [(fresh, fingerprint)])
        return Verdict(row.connection_id, token)
    except BrokerError as error:
        return Verdict(row.connection_id, error=error)
    finally:
        connections.close_all()
