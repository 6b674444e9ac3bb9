"""Renewals, people and deaths in every order: the product's own steps on a real database, one at a time.

A virtual scheduler decides who makes the next step, and when time passes. A worker is a generator over the steps of a
renewal; one that dies is never asked again, and its lease is freed as that of any process that is gone.
"""

import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models.functions import Now

from broker.services import register, renew, renewal_steps, revoke, storing
from providers.messages import ExternalAccount, OAuthCredential, Secret
from tenants import audit
from tenants.models import ClientRegistration, Connection, Credential, CredentialOrphan, State, Tenant
from tenants.querysets import presence, slots
from tests.chaos_support import virtual_time
from tests.chaos_support.virtual_catalogue import GRACE_SECONDS, Door, virtual_catalogue
from tests.chaos_support.virtual_provider import Grant, VirtualProvider

_STAFF = audit.staff("interleavings")
_LEASE_SECONDS = 30.0
_STEPS = 24
_ROUNDS_TO_REST = 6
# For so long after a request went unheard the broker sends it again; the rest of the grace is the request's way.
_RESENT_FOR = 0.7 * GRACE_SECONDS


@dataclass
class Summary:
    """What came of a run. Shape: problems name the seed that shows them again."""

    count: int = 0
    renewals: int = 0
    deaths: int = 0
    rotation_lost: int = 0
    problems: list[str] = field(default_factory=list)


class _Worker:
    """One renewal, a step at a time."""

    def __init__(self, number: int, story: "_Story") -> None:
        self.owner = f"virtual:1:{number}:{1_000_000 + number}"
        self.key = 1_000_000 + number
        self.sent_token = ""
        self.marked = False
        self._story = story
        self.steps = self._renew()

    def _renew(self) -> Generator[str, None, None]:
        claim = slots.claim_one(self._story.connection_id, owner=self.owner, lease_seconds=_LEASE_SECONDS)
        yield "claimed"
        if claim is None:
            return
        attempts, _ended = renewal_steps.prepare([claim])
        yield "prepared"
        marked = renewal_steps.mark(attempts)
        self.marked = bool(marked)
        yield "marked"
        if not marked:
            return
        held = marked[0].credential.refresh_token
        self.sent_token = held.reveal() if held else ""
        self._story.may_send(self)
        answer = renewal_steps.send(marked[0])
        yield "answered"
        renewal_steps.conclude([answer])
        self.sent_token, self.marked = "", False


class _Story:
    """One connection, its provider, and whoever touches them."""

    def __init__(self, seed: int, provider: VirtualProvider, registration: ClientRegistration, tenant: Tenant) -> None:
        self.chance = random.Random(seed)
        self.provider = provider
        self.registration, self.tenant = registration, tenant
        self.problems: list[str] = []
        # For each worker that died: whether it had said that it would send.
        self.deaths: list[bool] = []
        self.ended_by_people: set[int] = set()
        # Whether they kept in suspension what was in doubt, until no grace was left.
        self.held_by_people = False
        self.workers: list[_Worker] = []
        self._number = 0
        self.repaired: Connection | None = None
        self.connection_id = self._connect()

    def _connect(self) -> UUID:
        grant = self.provider.authorize()
        row = storing.store_connected(
            storing.Arrival(
                tenant_id=self.tenant.id,
                registration=self.registration,
                repaired=self.repaired,
                credential=_credential(grant),
                account=ExternalAccount(issuer="https://virtual.example", subject="one", name="One Oy"),
                life_seconds=3600.0,
            )
        )
        self.repaired = row
        return row.pk

    # What can happen next.

    def actions(self) -> list[tuple[int, Callable[[], None]]]:
        """Each possible next step with its weight."""
        found: list[tuple[int, Callable[[], None]]] = [(24, self._step_of(worker)) for worker in self.workers]
        found += [(4, self._death_of(worker)) for worker in self.workers]
        if len(self.workers) < 3:
            found.append((12, self._another_worker))
        found += [(5, self._short_while), (5, self._long_while), (2, self._report)]
        # People act less often than machines do.
        return found + [(1, each) for each in (self._disconnect, self._reconnect, self._withdraw, self._suspend)]

    def play(self) -> None:
        for _ in range(_STEPS):
            weights, actions = zip(*self.actions(), strict=True)
            self.chance.choices(actions, weights)[0]()

    def _another_worker(self) -> None:
        self._number += 1
        self.workers.append(_Worker(self._number, self))

    def _step_of(self, worker: _Worker) -> Callable[[], None]:
        def step() -> None:
            if next(worker.steps, None) is None:
                self.workers.remove(worker)

        return step

    def _death_of(self, worker: _Worker) -> Callable[[], None]:
        def die() -> None:
            self.workers.remove(worker)
            worker.steps.close()
            self.deaths.append(worker.marked)
            presence.free_leases({worker.owner: worker.key})

        return die

    def may_send(self, worker: _Worker) -> None:
        """One request at a time with one refresh token, unless its sender has lost the slot to a person."""
        others = [one for one in self.workers if one is not worker and one.sent_token == worker.sent_token]
        if others and not self.ended_by_people:
            self.problems.append("two requests at once with one refresh token")

    def _short_while(self) -> None:
        self._pass(2.0)

    def _long_while(self) -> None:
        # Never so long that the lease of a worker that lives would end: that is another story.
        self._pass(3000.0 if not self.workers else 5.0)

    def _pass(self, seconds: float) -> None:
        if self._in_doubt(seconds):
            # What is in doubt is looked at within seconds, as long as anybody is there at all.
            return
        self._note_what_people_hold(seconds)
        self.provider.now += seconds
        virtual_time.shift(self.connection_id, seconds)

    def _in_doubt(self, seconds: float) -> bool:
        slot = self._row().slot
        if slot.state == "parked" or not self.provider.grace_seconds:
            return False
        doubt = virtual_time.doubt_of(slot)
        # What people have held until the grace was over gains nothing by haste.
        return doubt is not None and doubt <= _RESENT_FOR and doubt + seconds > GRACE_SECONDS / 2

    def _note_what_people_hold(self, seconds: float) -> None:
        slot = self._row().slot
        doubt = virtual_time.doubt_of(slot)
        if slot.state == "parked" and doubt is not None and doubt + seconds > _RESENT_FOR:
            self.held_by_people = True

    def _row(self) -> Connection:
        return Connection.objects.select_related("registration", "tenant").get(pk=self.connection_id)

    def _disconnect(self) -> None:
        self.ended_by_people |= {grant.number for grant in self.provider.grants}
        revoke.disconnect(self._row(), actor=_STAFF)

    def _reconnect(self) -> None:
        self.ended_by_people |= {grant.number for grant in self.provider.grants}
        self._connect()

    def _withdraw(self) -> None:
        grant = self.provider.grants[-1]
        if grant.alive:
            grant.ended_by = "customer"

    def _suspend(self) -> None:
        row = self._row()
        if row.state == State.SUSPENDED:
            revoke.resume(row, actor=_STAFF)
        elif row.state in (State.CONNECTED, State.DEGRADED):
            self.ended_by_people |= {grant.number for grant in self.provider.grants}
            revoke.suspend(row, actor=_STAFF)

    def _report(self) -> None:
        version = Credential.objects.filter(pk=self.connection_id).values_list("version", flat=True).first()
        if version is not None:
            renew.renew_reported(self.connection_id, version=version)

    # Bring it to rest.

    def settle(self) -> None:
        """Let the living finish, and renew until nothing is in doubt any more."""
        for worker in list(self.workers):
            for _ in worker.steps:
                pass
        self.workers.clear()
        row = self._row()
        if row.state == State.SUSPENDED:
            revoke.resume(row, actor=_STAFF)
        for _ in range(_ROUNDS_TO_REST):
            for _ in _Worker(0, self).steps:
                pass
            self._pass(3600.0)
        for orphan_id in CredentialOrphan.objects.filter(connection_id=self.connection_id).values_list("pk", flat=True):
            CredentialOrphan.objects.filter(pk=orphan_id).update(due_at=Now())
            revoke.revoke_orphan(orphan_id)

    # What must hold.

    def check(self) -> Iterator[str]:
        row, grant = self._row(), self.provider.grants[-1]
        yield from self.problems
        if row.state in (State.CONNECTED, State.DEGRADED):
            if not grant.alive:
                yield f"{row.state} although the grant is over ({grant.ended_by})"
        elif row.state == State.REAUTHORIZATION_REQUIRED:
            yield from self._blamed(row, grant)
        elif row.state == State.DISCONNECTED:
            if Credential.objects.filter(pk=row.pk).exists():
                yield "a disconnected connection holds a credential"
            if any(each.alive for each in self.provider.grants[-1:]):
                yield "a grant outlives the disconnection"
        slot = row.slot
        if slot.state == "scheduled" and slot.due_at is None:
            yield "a scheduled slot that is never due"
        if slot.lease_owner:
            yield "a lease that nobody holds"
        if row.state in (State.CONNECTED, State.DEGRADED) and slot.state != "scheduled":
            yield "a connection in use that is forgotten"

    def _blamed(self, row: Connection, grant: Grant) -> Iterator[str]:
        if row.reason == "rotation_lost":
            # A person who comes between a request and its answer leaves a doubt as a death does.
            if not any(self.deaths) and not self.ended_by_people:
                yield "rotation_lost, and nobody died with a request out"
            elif self.provider.grace_seconds and not self.held_by_people:
                yield from () if grant.ended_by == "customer" else ("a loss in spite of the grace",)
        elif grant.ended_by != "customer":
            yield f"the customer is blamed ({row.reason}) for what was not theirs ({grant.ended_by or 'alive'})"


def _credential(grant: Grant) -> OAuthCredential:
    return OAuthCredential(
        access_token=Secret(f"access.{grant.newest}"), refresh_token=Secret(grant.newest), scope=("ea:api",)
    )


def run(count: int, seed: int) -> Summary:
    """Tell so many stories, half of them with a grace time; needs Django and a database, outside any transaction."""
    summary = Summary()
    with virtual_catalogue() as door:
        tenant = register.create_tenant(f"virtual-{seed}", name="Virtual", actor=_STAFF)
        for number in range(count):
            _tell(seed + number, door, tenant, summary)
    return summary


def _tell(seed: int, door: Door, tenant: Tenant, summary: Summary) -> None:
    grace = GRACE_SECONDS if seed % 2 else 0
    door.provider = VirtualProvider(grace)
    # One registration a story, so that what one of them teaches about it does not tell on the next.
    registration = register.register_client(
        "virtual-grace" if grace else "virtual-strict",
        environment="production",
        client_id=f"virtual-{seed}",
        client_secret=Secret("virtual"),
        actor=_STAFF,
    )
    story = _Story(seed, door.provider, registration, tenant)
    story.play()
    story.settle()
    summary.count += 1
    summary.renewals += door.provider.requests
    summary.deaths += len(story.deaths)
    summary.rotation_lost += story._row().reason == "rotation_lost"
    summary.problems += [f"seed {seed}: {problem}" for problem in story.check()]
