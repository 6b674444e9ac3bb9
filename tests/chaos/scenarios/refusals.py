"""The provider refuses everything at once: because of us, or for no reason. No customer hears of it, and it heals."""

import time

from tests.chaos import judging, seed
from tests.chaos.fleet import Fleet
from tests.chaos.ground import Ground
from tests.chaos.scenarios.faults import wait
from tests.chaos.site import Site
from tests.chaos.table import Row
from tests.fakes.sandbox import CLIENT_SECRET

MOST_SUSPECTS = 20
# A registration in trouble is tried once a minute; then it opens step by step.
HEAL_SECONDS, RENEW_SECONDS = 180.0, 300.0
_SUSPECTS = "SELECT count(*) FROM tenants_renewalslot WHERE suspect_version IS NOT NULL"
_CHANGED = "SELECT count(DISTINCT connection_id) FROM chaos_state"
_INCIDENTS = "SELECT count(*) FROM tenants_outboxevent WHERE type = 'registration.incident'"
_TOLD = "SELECT count(*) FROM tenants_outboxevent WHERE connection_id IS NOT NULL"
_TROUBLED = """
SELECT (SELECT count(*) FROM tenants_clientregistration WHERE incident_since IS NOT NULL)
    + (SELECT count(*) FROM tenants_registrationgate WHERE state <> 'closed')
"""


def wrong_secret(ground: Ground, full: bool) -> Row:
    connections, patience = (10_000, 60.0) if full else (300, 8.0)
    with Site(ground, "secret", life=3600, grace=0, latency=0.02) as site:
        fleet = _all_due(site, connections)
        site.sandbox.update_client(client_secret="rotated by somebody and told to nobody")
        _let_go(site, fleet, patience)
        changed, incidents = _number(site, _CHANGED), _number(site, _INCIDENTS)
        asked = len(site.sandbox.token_requests())
        site.sandbox.update_client(client_secret=CLIENT_SECRET)
        healed = _healed(site)
        _, found = judging.judge(site, fleet, settle=RENEW_SECONDS)
    row = judging.row(
        "wrong client secret",
        found,
        load=f"{connections:,} connections due",
        faults=f"invalid_client for {patience:.0f} s",
        note=f"{changed} changed, {incidents} incident, {asked} requests, healed in {healed:.0f} s",
    )
    row.wrong += [f"{changed} connections changed their state"] if changed else []
    row.wrong += [f"{incidents} incidents"] if incidents != 1 else []
    return _and_healed(row, healed)


def mass_invalid_grant(ground: Ground, full: bool) -> Row:
    connections, patience = (10_000, 90.0) if full else (300, 10.0)
    with Site(ground, "refused", life=3600, grace=0, latency=0.02) as site:
        fleet = _all_due(site, connections)
        site.sandbox.fault("token", "error", error="invalid_grant", times=None)
        suspects = _let_go(site, fleet, patience)
        changed, told = _number(site, _CHANGED), _number(site, _TOLD)
        site.sandbox.clear_faults()
        healed = _healed(site)
        _, found = judging.judge(site, fleet, settle=RENEW_SECONDS)
    row = judging.row(
        "mass invalid_grant",
        found,
        load=f"{connections:,} connections due",
        faults=f"invalid_grant for {patience:.0f} s",
        note=f"{suspects} suspects, {told} customers told, healed in {healed:.0f} s",
    )
    row.wrong += [f"{suspects} suspects at once"] if suspects > MOST_SUSPECTS else []
    row.wrong += [f"{told} events of connections, {changed} changed"] if told or changed else []
    return _and_healed(row, healed)


def _all_due(site: Site, connections: int) -> Fleet:
    seed.connections(site, seed.registration(), seed.tenants(20), connections, due=(0, 0))
    return site.fleet()


def _let_go(site: Site, fleet: Fleet, seconds: float) -> int:
    """Let the workers run into the refusals; return how many suspects there were at most."""
    for name in ("one", "two"):
        fleet.worker(name)
    fleet.beat("beat")
    fleet.wait_ready()
    most, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        most = max(most, _number(site, _SUSPECTS))
        time.sleep(0.2)
    return most


def _healed(site: Site) -> float:
    """Return how many seconds the registration was still held after the provider answered as it should."""
    started = time.monotonic()
    wait(lambda: _number(site, _TROUBLED) == 0, HEAL_SECONDS)
    return time.monotonic() - started


def _and_healed(row: Row, healed: float) -> Row:
    row.wrong += ["the registration did not heal by itself"] if healed >= HEAL_SECONDS else []
    return row


def _number(site: Site, statement: str) -> int:
    return int(site.rows(statement)[0][0])
