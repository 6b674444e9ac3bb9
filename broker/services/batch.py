"""Give many tokens at once: one look at the caller, one query for all connections, a verdict for each."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import connections

from broker import errors
from broker.errors import BrokerError
from broker.services import admission, callers, counts, faults, issue, policy
from broker.services.callers import PresentedKey
from broker.services.issue import Wanted
from broker.services.kept_answers import KeptAnswer, kept_answers
from broker.services.policy import Grant
from providers.interface import HANDS_OUT_TOKENS
from tenants.models import Operation
from tenants.querysets import hand_out, hand_out_many
from tenants.querysets.hand_out import HandOut, Named

# Renewals that all batches of this process wait for at a time: each holds a database connection, and others want
# tokens as well.
_AT_A_TIME = 4
_threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="batch-renewal")


class Asked(NamedTuple):
    """One token of a batch. Units: min_ttl in seconds."""

    named: Named
    min_ttl: int | None = None


class Verdict(NamedTuple):
    """What became of one: a token as JSON, or else the reason why there is none."""

    connection_id: UUID | str | None
    token: bytes | None = None
    error: BrokerError | None = None


_Verdicts = list[Verdict | None]


def issue_tokens(presented: PresentedKey, asked: Sequence[Asked], *, wait_seconds: float | None) -> list[Verdict]:
    """Return a verdict for each, in the order asked.

    Raises: Unauthenticated, SourceNotAllowed, CallerThrottled, RateLimited, Forbidden: those of all of them.
    Effects: one query, and up to three more for what is not kept, or named otherwise than by id; what is not fresh is
             renewed, a few at a time, until the time is over.
    """
    deadline = time.monotonic() + issue.patience(Wanted(wait_seconds=wait_seconds))
    key = admission.look_up(presented, hand_out.for_key)
    grant = callers.enter(presented, key, len(asked))
    assert key is not None
    policy.may(grant, Operation.TOKEN_READ.value)
    verdicts: _Verdicts = [None] * len(asked)
    read: list[KeptAnswer] = []
    _answer_kept(grant, key, asked, verdicts, read)
    rows = _answer_rest(grant, key, asked, verdicts, read)
    counts.reads.add_many(presented, key.caller_id, read)
    return _with_renewed(presented, rows, asked, verdicts, deadline)


def _answer_kept(
    grant: Grant, key: HandOut, asked: Sequence[Asked], verdicts: _Verdicts, read: list[KeptAnswer]
) -> None:
    """Fill in what was made a moment ago, of rows that have not changed since."""
    ids = [(place, one.named.connection_id) for place, one in enumerate(asked)]
    worth = [(place, id_) for place, id_ in ids if isinstance(id_, str) and kept_answers.holds(id_)]
    if not worth:
        return
    standings = hand_out_many.standings(hand_out.known(key), [id_ for _, id_ in worth])
    for (place, id_), (stamp, tenant_allowed, seconds_left) in zip(worth, standings, strict=True):
        found = kept_answers.find(id_, stamp)
        if found is None or not tenant_allowed or not policy.serves(grant, found.provider_id):
            continue
        if admission.lives_long_enough(seconds_left, found.life_seconds, asked[place].min_ttl):
            verdicts[place] = Verdict(id_, found.token)
            read.append(found)


def _answer_rest(
    grant: Grant, key: HandOut, asked: Sequence[Asked], verdicts: _Verdicts, read: list[KeptAnswer]
) -> dict[int, HandOut]:
    """Fill in what can be said at once. Returns the rows of those that have to be renewed first, by place."""
    rest = [place for place, verdict in enumerate(verdicts) if verdict is None]
    stale = {}
    rows = hand_out_many.for_many(key, [asked[place].named for place in rest]) if rest else []
    for place, row in zip(rest, rows, strict=True):
        try:
            if not admission.admitted(grant, row, HANDS_OUT_TOKENS):
                admission.admit_to(grant, row, HANDS_OUT_TOKENS)
            if issue.fresh(row, asked[place].min_ttl):
                made = kept_answers.make(row)
                verdicts[place] = Verdict(row.connection_id, made.token)
                read.append(made)
            else:
                stale[place] = row
        except errors.ConnectionNotFound as error:
            # The row may be another tenant's: its id, or that there is one, is not for this caller.
            verdicts[place] = Verdict(None, error=error)
        except BrokerError as error:
            verdicts[place] = Verdict(row.connection_id, error=error)
    return stale


def _with_renewed(
    presented: PresentedKey,
    stale: Mapping[int, HandOut],
    asked: Sequence[Asked],
    verdicts: _Verdicts,
    deadline: float,
) -> list[Verdict]:
    """Return all verdicts: those that are missing are of tokens that have to be renewed first."""
    if stale:
        work = partial(_renewed, presented, deadline=deadline)
        late = _threads.map(work, stale.values(), (asked[place].min_ttl for place in stale))
        for place, verdict in zip(stale, late, strict=True):
            verdicts[place] = verdict
    return [verdict for verdict in verdicts if verdict is not None]


def _renewed(presented: PresentedKey, row: HandOut, min_ttl: int | None, *, deadline: float) -> Verdict:
    left = deadline - time.monotonic()
    try:
        if left <= 0:
            raise errors.RenewalInProgress("there was no time left for this one; ask again", retry_after=1)
        find = partial(hand_out.for_token, named=Named(row.connection_id))
        fresh = issue.usable(presented, find, HANDS_OUT_TOKENS, row, Wanted(min_ttl, left))
        made = kept_answers.make(fresh)
        counts.reads.add_many(presented, fresh.caller_id, [made])
        return Verdict(row.connection_id, made.token)
    except BrokerError as error:
        return Verdict(row.connection_id, error=error)
    except Exception as error:
        # The others of the batch have their tokens.
        return Verdict(row.connection_id, error=faults.told_of(error, connection_id=row.connection_id))
    finally:
        connections.close_all()
