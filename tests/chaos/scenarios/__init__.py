"""Every test of the table, in its order."""

from collections.abc import Callable

from tests.chaos.ground import Ground
from tests.chaos.scenarios import faults, generated, kills, neighbours, refusals, schedules, victim, waiting
from tests.chaos.table import Row

Scenario = Callable[[Ground, bool], Row]
ALL: dict[str, Scenario] = {
    "callers": waiting.one_expired_connection,
    "naive": victim.naive_renewer,
    "kills-grace": kills.with_grace,
    "kills-no-grace": kills.without_grace,
    "deployments": faults.rolling_deployments,
    "drops": faults.dropped_replies,
    "database": faults.failing_database,
    "queue": faults.forgetful_queue,
    "schedules": schedules.beats_and_clocks,
    "secret": refusals.wrong_secret,
    "refused": refusals.mass_invalid_grant,
    "tenants": neighbours.one_large_tenant,
    "poison": neighbours.poisoned_rows,
    "interleavings": generated.random_interleavings,
    "model": generated.exhaustive_model,
    "replies": generated.malformed_replies,
}
