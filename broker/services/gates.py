"""Whether requests may go through a client registration now, and whether a refusal may be laid at a customer's door.

One narrow row a registration, shared by all processes; a registration without trouble and without a declared limit
costs no statement. See `tenants.querysets.gates` and `trials` for how a gate opens, is tried and closes.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection as database

from broker.services import gate_limits, incidents
from broker.services.client_secrets import secret_order as secret_order
from broker.services.client_secrets import secret_worked as secret_worked
from broker.services.gate_counts import Counts, counter
from broker.services.gate_view import view
from tenants.models import ClientRegistration
from tenants.querysets import gates as rows
from tenants.querysets import trials
from tenants.querysets.gates import DOUBTS, Gate
from tenants.querysets.slots import Claim

logger = logging.getLogger(__name__)
_FLUSH_SECONDS = 1.0
_ENOUGH_TRUST = 0.75 * DOUBTS
_THROTTLED_SECONDS, _LONGEST_THROTTLE = 30.0, 3600.0
_TRY_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """Why nothing may be asked of a provider now. Shape: cause is one of RegistrationGate.Cause. Units: seconds."""

    cause: str
    retry_after: float


def held() -> frozenset[UUID]:
    """Return the registrations from which nothing may be claimed now. Effects: at most one query a second."""
    found, age = view.gates()
    gate_limits.learn(gate.registration_id for gate in found.values() if gate.level is not None)
    return frozenset(registration_id for registration_id, gate in found.items() if _holds(gate, age))


def _holds(gate: Gate, age: float) -> bool:
    if gate.state != "closed" and gate.wait > age and gate.probes == 0:
        return True
    rate = gate_limits.rate(gate.registration_id) if gate.level is not None else None
    if gate.level is None or rate is None:
        return False
    # A second's worth at once, or each permit would cost a claim of many of whom one may go.
    return gate.level + (gate.level_age + age) * rate < max(1.0, min(rate, gate_limits.burst(rate)))


def admit(claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
    """Return which claims may be sent, and which go back untouched.

    Effects: one statement for each registration that is limited or not closed; none for the others.
    """
    wanted = Counter(claim.registration_id for claim in claims)
    gate_limits.learn(wanted)
    left = {registration_id: _permits(registration_id, count) for registration_id, count in wanted.items()}
    admitted: list[Claim] = []
    turned_back: list[Claim] = []
    for claim in claims:
        left[claim.registration_id] -= 1
        (admitted if left[claim.registration_id] >= 0 else turned_back).append(claim)
    return admitted, turned_back


def _permits(registration_id: UUID, wanted: int) -> int:
    gate, rate = view.get(registration_id), gate_limits.rate(registration_id)
    if rate is None and (gate is None or gate.state == "closed"):
        return wanted
    if gate is None:
        rows.ensure(registration_id)
    burst = gate_limits.burst(rate) if rate is not None else 0.0
    given = rows.take(registration_id, wanted=wanted, rate=rate, burst=burst)
    if given < wanted or (gate is not None and gate.state != "closed"):
        view.forget()
    return given


def refused(registration_id: UUID) -> Shut | None:
    """Return why a request that somebody waits for may not be sent; None when it may.

    Shape: the bucket keeps no such request waiting; it counts against the bucket all the same.
    Effects: one statement when the gate is not closed, for the probe that this request may be.
    """
    gate = view.get(registration_id)
    if gate is not None and gate.state != "closed":
        if not rows.take(registration_id, wanted=1, rate=None, burst=0.0):
            wait = gate.wait if gate.state == "open" else 0.0
            return Shut(cause=gate.cause, retry_after=max(wait, _TRY_AGAIN_SECONDS))
        view.forget()
    counter.add(registration_id, Counts(on_demand=1))
    return None


def note(registration_id: UUID, ok: bool) -> None:
    """Count an answer that renewed nothing: ok when it was definite (`invalid_grant`), else the provider failed.

    Effects: in memory; at most once a second a few statements, and at once while a gate is being tried.
    """
    counter.add(registration_id, Counts(sent=1, failed=0 if ok else 1))
    gate = view.get(registration_id)
    if gate is not None and gate.state != "closed":
        incidents.settle(registration_id, counter.take_one(registration_id))
    elif time.monotonic() - _flushed.at > _FLUSH_SECONDS and not database.in_atomic_block:
        flush()


class _Flushed:
    at = 0.0


_flushed = _Flushed()


def flush() -> None:
    """Write what was counted, as far as it is of interest: called each second.

    What a process counts in its last second is not missed.
    """
    _flushed.at = time.monotonic()
    for registration_id, counts in counter.take().items():
        try:
            _write(registration_id, counts)
        except DatabaseError:
            logger.warning("counts of a registration not written yet", extra={"registration_id": registration_id})
            counter.add(registration_id, counts)


def _write(registration_id: UUID, counts: Counts) -> None:
    if counts.failed or view.get(registration_id) is not None:
        incidents.settle(registration_id, counts)
    rate = gate_limits.rate(registration_id) if counts.on_demand else None
    if rate is not None:
        rows.ensure(registration_id)
        rows.spend(registration_id, spent=counts.on_demand, rate=rate, burst=gate_limits.burst(rate))


def throttle(registration_id: UUID, retry_after: float | None) -> None:
    """Pause all renewals through a registration: the provider limits the application, not one customer."""
    seconds = min(retry_after or _THROTTLED_SECONDS, _LONGEST_THROTTLE)
    rows.ensure(registration_id)
    rows.open_for(registration_id, cause=rows.THROTTLED, seconds=seconds)
    view.forget()


def doubt(registration_id: UUID, *, ends: bool = False) -> bool:
    """Tell whether a refused grant may count against its customer; ends: and would end the connection.

    A registration may lay few refusals at its customers' doors in a row, see `trials.doubt`; to end a connection, half
    of those have to be left, so that the first of many who are refused by mistake are still there when it is noticed.
    Effects: spends one of the budget; the one that empties it opens the gate, and one incident.
    """
    found = trials.doubt(registration_id, ends=ends)
    if found is None:
        rows.ensure(registration_id)
        found = trials.doubt(registration_id, ends=ends)
    if found is None:
        return True
    if found.opened:
        registration = ClientRegistration.objects.defer("sealed_secrets").get(pk=registration_id)
        incidents.open_one(registration, incidents.MASS_REFUSALS, error=incidents.MASS_REFUSALS)
        logger.error("a provider refuses unusually many customers", extra={"registration_id": registration_id})
    return found.allowed


def suspected(registration_id: UUID) -> bool:
    """Tell whether the registration itself is under suspicion, because unusually many customers were refused."""
    gate = rows.one(registration_id)
    return gate is not None and gate.state != "closed" and gate.cause == "doubts"


def enough_trust(registration_id: UUID) -> bool:
    """Tell whether one single refusal may end a connection: hardly any others were refused lately."""
    gate = rows.one(registration_id)
    return gate is None or (gate.state == "closed" and gate.doubts >= _ENOUGH_TRUST)
