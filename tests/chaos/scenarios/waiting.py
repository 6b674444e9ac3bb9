"""Thirty-two callers meet one expired token, at three web servers: one of them renews, the others wait for it."""

import itertools

import httpx2

from tests.chaos import judging, seed
from tests.chaos.fleet import Fleet
from tests.chaos.ground import Ground
from tests.chaos.site import Site
from tests.chaos.table import Row
from tests.chaos_support import callers

_EXPIRE = "UPDATE tenants_credential SET expires_at = now() - interval '1 second'"
LIMITS = httpx2.Limits(max_connections=callers.CALLERS)


def one_expired_connection(ground: Ground, full: bool) -> Row:
    rounds = 1000 if full else 40
    with Site(ground, "callers", life=3600, grace=0, latency=0.1) as site:
        (connection,) = seed.connections(site, seed.registration(), seed.tenants(1), 1, due=(3600, 3600))
        key, fleet = seed.caller_key(), site.fleet()
        found = _ask(site, fleet, key, str(connection), rounds)
        recorded, findings = judging.judge(site, fleet, settle=0)
    requests = len(recorded.requests)
    row = judging.row(
        "callers on one expired token",
        findings,
        load=f"{rounds:,} rounds of {callers.CALLERS} callers, 3 web servers",
        faults="none",
        note=f"{requests:,} provider requests, p99 {found.percentile(0.99):.2f} s",
    )
    row.wrong += found.wrong
    row.wrong += [] if requests == rounds else [f"{requests:,} provider requests in {rounds:,} rounds"]
    refused = found.answers.total() - found.answers[200]
    row.wrong += [] if refused <= found.answers.total() / 1000 else [f"{refused:,} callers got no token: {found}"]
    return row


def _ask(site: Site, fleet: Fleet, key: str, connection: str, rounds: int) -> callers.Rounds:
    urls = itertools.cycle(f"{url}/v1/connections/{connection}/token" for url in fleet.web(servers=3))
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(headers=headers, timeout=20, trust_env=False, limits=LIMITS) as http:
        return callers.run(rounds, ask=lambda: http.get(next(urls)), expire=lambda: _expire(site))


def _expire(site: Site) -> None:
    site.rows(_EXPIRE)
