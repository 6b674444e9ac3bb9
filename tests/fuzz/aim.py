"""Where requests go: most of them to what exists, because what is made up is only ever "not found"."""

import random
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from tests.fuzz.ground import Ground

# How many requests of a hundred.
EXISTING = 75
IDEMPOTENCY_KEY = "Idempotency-Key"
# Who asks for events may wait for the first one, and here hardly one comes: of a hundred, so many still do.
WAITS = ("Prefer", "X-Request-Deadline")
WAITING = 2


@contextmanager
def aimed(ground: Ground, chance: random.Random) -> Iterator[None]:
    """While it is open, requests of this process are aimed; those that are odd on purpose stay as they are."""

    @schemathesis.hook
    def before_call(_: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
        if not _is_linked(case) and chance.randrange(100) < EXISTING:
            _aim(case, ground)
        if chance.randrange(100) >= WAITING:
            _hurry(case)
        if case.method == "DELETE" and case.path_parameters:
            _spare(case.path_parameters, ground)

    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def _aim(case: Case, ground: Ground) -> None:
    if case.path_parameters and not _is_odd(case, ParameterLocation.PATH):
        _put(case.path_parameters, ground.values)
    operation_id = case.operation.definition.raw["operationId"]
    if isinstance(case.body, dict) and not _is_odd(case, ParameterLocation.BODY):
        _put(case.body, ground.bodies.get(operation_id, {}))
    case.headers.update(ground.headers.get(operation_id, {}))
    # With a key that came before, a request is that one or a mistake: nearly all would be.
    if IDEMPOTENCY_KEY in case.headers and not _is_odd(case, ParameterLocation.HEADER):
        case.headers[IDEMPOTENCY_KEY] = str(uuid.uuid4())


def _hurry(case: Case) -> None:
    """Let it not wait where nothing else is odd about its headers."""
    if not _is_odd(case, ParameterLocation.HEADER):
        for name in WAITS:
            case.headers.pop(name, None)


def _spare(parameters: dict[str, Any], ground: Ground) -> None:
    """What others ask for is not ended, however its id was found out."""
    for name, value in parameters.items():
        if value == ground.values.get(name):
            parameters[name] = ground.victims[name]


def _put(members: dict[str, Any], known: Mapping[str, Any]) -> None:
    for name in members.keys() & known.keys():
        members[name] = known[name]


def _is_linked(case: Case) -> bool:
    """Tell whether the ids come from an answer before: from what was just made."""
    return case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL


def _is_odd(case: Case, location: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(location)
