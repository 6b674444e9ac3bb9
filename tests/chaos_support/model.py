"""The renewal algorithm as a small machine, every one of whose states is visited.

Two workers renew one connection; a worker may die between any two steps, a lease may end while its owner is merely
slow, the customer may end the grant at the provider, disconnect, or connect again, and the provider may or may not
accept a refresh token for a while after it has been replaced. What must hold is checked in every state; a rule of the
algorithm that is left out (`without`) has to be missed, or the model would prove nothing.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

WORKERS = (0, 1)
# A refresh token is a number; each new one is the highest so far plus one. None is no token.
RULES = ("fence", "intent", "doubt", "confirm", "orphans", "seize")


class Worker(NamedTuple):
    """Where a worker is: idle, claimed, marked, waiting (the request is out), answered."""

    step: str = "idle"
    fence: int = 0
    token: int = 0
    answer: int | None = None
    doubtful: bool = False


class Provider(NamedTuple):
    """One line of tokens at the provider. `killed_by` tells whose doing the end of the grant was."""

    newest: int = 1
    accepted_before: int = 0
    killed_by: str = ""


_FIRST = Provider()


@dataclass(frozen=True, slots=True)
class World:
    """One state. `line` is the grant that the connection stands for; an older line was replaced by a reconnect."""

    stored: int = 1
    state: str = "live"
    fence: int = 0
    owner: int | None = None
    intent: str = ""
    uncertain: bool = False
    suspect: int = 0
    workers: tuple[Worker, Worker] = (Worker(), Worker())
    provider: Provider = _FIRST
    orphans: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()
    ending: bool = False
    renewals: int = 0
    crashes: int = 0
    slow: int = 0
    doubled: bool = False
    harmed: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """The machine with its bounds. grace: the provider accepts a replaced token until the next one is used."""

    grace: bool
    without: str = ""
    renewals: int = 3
    crashes: int = 2
    slow: int = 1
    people: bool = True

    def has(self, rule: str) -> bool:
        return rule != self.without

    def next(self, world: World) -> Iterator[tuple[str, World]]:
        """Every step that some actor can make now."""
        for number in WORKERS:
            yield from self._worker(world, number)
        if not world.ending and world.state == "live":
            yield "the access token nears its end", replace(world, ending=True)
        if world.provider.killed_by == "" and world.state == "live" and self.people:
            killed = world.provider._replace(killed_by="customer")
            yield "the customer ends the grant", replace(world, provider=killed)
        if world.state == "live" and self.people:
            yield "disconnect", self._disconnected(world)
        if world.slow < self.slow and world.owner is not None:
            yield "the lease ends too early", self._freed(replace(world, slow=world.slow + 1))

    def _worker(self, world: World, number: int) -> Iterator[tuple[str, World]]:
        worker = world.workers[number]
        if worker.step == "idle":
            if world.state == "live" and world.owner is None and world.renewals < self.renewals:
                yield f"{number} claims", self._claimed(world, number)
            return
        if world.crashes < self.crashes:
            yield f"{number} dies at {worker.step}", self._crashed(world, number)
        steps = {"claimed": self._mark, "marked": self._send, "waiting": self._answer, "answered": self._conclude}
        yield f"{number} leaves {worker.step}", steps[worker.step](world, number)

    def _claimed(self, world: World, number: int) -> World:
        fence = world.fence + 1
        doubtful = world.uncertain
        put = _put(world, number, Worker("claimed", fence, world.stored, None, doubtful))
        return replace(put, fence=fence, owner=number, intent="claimed", renewals=world.renewals + 1)

    def _ours(self, world: World, number: int) -> bool:
        return not self.has("fence") or world.fence == world.workers[number].fence

    def _mark(self, world: World, number: int) -> World:
        worker = world.workers[number]
        if not self._ours(world, number):
            return _put(world, number, Worker())
        if self.has("doubt") and worker.doubtful and not self.grace and not world.ending:
            # A second use would end the grant while the access token still works: left alone until its end.
            return _released(_put(world, number, Worker()))
        intent = "sending" if self.has("intent") else "claimed"
        return replace(_put(world, number, worker._replace(step="marked")), intent=intent)

    def _send(self, world: World, number: int) -> World:
        if not self._ours(world, number):
            # So late that the lease may be over: by its own clock, no look at the database is needed.
            return _put(world, number, Worker())
        others = [one for place, one in enumerate(world.workers) if place != number]
        same = any(one.step == "waiting" and one.token == world.workers[number].token for one in others)
        # A slow owner whose lease was taken is the one case that is meant to overlap.
        doubled = world.doubled or (same and world.slow == 0)
        return replace(_put(world, number, world.workers[number]._replace(step="waiting")), doubled=doubled)

    def _answer(self, world: World, number: int) -> World:
        """The provider decides: rotate, answer the same again within its grace, or take it for a theft."""
        worker, provider = world.workers[number], world.provider
        if provider.killed_by:
            return _put(world, number, worker._replace(step="answered", answer=None))
        if worker.token == provider.newest or (self.grace and worker.token == provider.accepted_before):
            fresh = max(provider.newest, *world.lost, 0) + 1
            rotated = Provider(newest=fresh, accepted_before=worker.token)
            put = _put(world, number, worker._replace(step="answered", answer=fresh))
            return replace(put, provider=rotated)
        killed = provider._replace(killed_by="reuse")
        put = _put(world, number, worker._replace(step="answered", answer=None))
        # The access token still works for a while, and dies with the grant.
        return replace(put, provider=killed, harmed=world.harmed or not (world.ending or world.slow))

    def _conclude(self, world: World, number: int) -> World:
        worker = world.workers[number]
        put = _put(world, number, Worker())
        return self._stored(put, worker) if worker.answer is not None else self._refused(put, worker)

    def _stored(self, world: World, worker: Worker) -> World:
        assert worker.answer is not None
        if not self.has("fence") or world.fence == worker.fence:
            fresh = replace(world, stored=worker.answer, suspect=0, ending=False)
            return replace(_released(fresh), uncertain=False)
        if not self.has("orphans"):
            return replace(world, lost=world.lost | {worker.answer})
        if world.state == "live" and world.stored == worker.token:
            return self._adopted(world, worker.answer)
        return replace(world, orphans=world.orphans | {worker.answer})

    def _adopted(self, world: World, token: int) -> World:
        """Nobody else has stored anything newer: the pair is taken under a fence of its own."""
        # Whoever is sending meanwhile may replace it at the provider, and not live to tell.
        uncertain = world.uncertain or world.intent == "sending"
        adopted = replace(world, stored=token, fence=world.fence + 1, suspect=0, ending=False)
        return replace(_released(adopted), uncertain=uncertain)

    def _refused(self, world: World, worker: Worker) -> World:
        if self.has("fence") and world.fence != worker.fence:
            return world
        if world.state != "live":
            return world
        if self.has("confirm") and world.suspect != world.stored:
            return _released(replace(world, suspect=world.stored))
        reason = "rotation_lost" if world.uncertain else "grant_revoked"
        return _released(replace(world, state=reason))

    def _crashed(self, world: World, number: int) -> World:
        """The process is gone; whoever looks sees it at once, and frees what it held."""
        worker = world.workers[number]
        world = replace(_put(world, number, Worker()), crashes=world.crashes + 1)
        if worker.answer is not None:
            world = replace(world, lost=world.lost | {worker.answer})
        return self._freed(world) if world.owner == number and world.fence == worker.fence else world

    def _freed(self, world: World) -> World:
        uncertain = world.uncertain or world.intent == "sending"
        return replace(world, owner=None, intent="", fence=world.fence + 1, uncertain=uncertain)

    def _disconnected(self, world: World) -> World:
        fence = world.fence + 1 if self.has("seize") else world.fence
        gone = replace(world, state="gone", fence=fence, owner=None, intent="")
        return replace(gone, orphans=gone.orphans | {gone.stored}, stored=0)


def _put(world: World, number: int, worker: Worker) -> World:
    first, second = world.workers
    return replace(world, workers=(worker, second) if number == 0 else (first, worker))


def _released(world: World) -> World:
    return replace(world, owner=None, intent="")


def problems(world: World, model: Model) -> Iterator[str]:
    """What is wrong in this state."""
    provider = world.provider
    if world.doubled:
        yield "two requests with one refresh token at once"
    if world.harmed:
        yield "a token that may be used up was sent while the access token still worked"
    if world.state == "grant_revoked" and provider.killed_by != "customer":
        yield "the customer is blamed for what was not theirs"
    if world.state == "rotation_lost" and not (world.crashes or world.slow):
        yield "a loss without a crash"
    if world.lost and not world.crashes:
        yield "a token dropped without a crash"
    # With a lease that ends under a living worker two requests may be out at once: then the grace may not help.
    ended = world.state == "rotation_lost" or provider.killed_by == "reuse"
    if model.grace and not world.slow and ended and provider.killed_by != "customer":
        yield "a loss although the provider accepts the old token for a while"
    if all(one.step == "idle" for one in world.workers):
        yield from _at_rest(world, model)


def _at_rest(world: World, model: Model) -> Iterator[str]:
    provider = world.provider
    known = {world.stored, *world.orphans, *world.lost}
    if world.state == "live" and not provider.killed_by:
        usable = {provider.newest, provider.accepted_before if model.grace else provider.newest}
        two_at_once_and_a_death = model.grace and world.slow and world.crashes
        if world.stored not in usable and not (world.uncertain or usable & world.orphans or two_at_once_and_a_death):
            yield "a lost token that nobody knows of"
    if world.state == "gone":
        if not provider.killed_by and provider.newest not in known:
            yield "a token of a disconnected connection that nobody revokes"
        if world.stored:
            yield "a disconnected connection came back"


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk through all states showed. `trace` leads to the first problem."""

    states: int
    problem: str = ""
    trace: tuple[str, ...] = ()


def explore(model: Model) -> Found:
    """Visit every state that can be reached, and stop at the first that is wrong."""
    first = World()
    came_from: dict[World, tuple[World, str] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        world = waiting.popleft()
        for problem in problems(world, model):
            return Found(states=len(came_from), problem=problem, trace=_trace(world, came_from))
        for name, following in model.next(world):
            if following not in came_from:
                came_from[following] = (world, name)
                waiting.append(following)
    return Found(states=len(came_from))


def _trace(world: World, came_from: dict[World, tuple[World, str] | None]) -> tuple[str, ...]:
    steps: list[str] = []
    while (step := came_from[world]) is not None:
        world, name = step
        steps.append(name)
    return tuple(reversed(steps))


def run() -> dict[bool, Found]:
    """Walk through the whole algorithm, with a provider that knows a grace time and with one that knows none."""
    return {grace: explore(Model(grace=grace)) for grace in (False, True)}
