"""What else a service meets, in a test that looks for secrets: each surface once, its secrets noted as canaries."""

import json
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.utils import timezone

from broker.services import counts, delivering, publishing, webhook_targets
from tenants.models import Connection
from tests import people
from tests.fakes.issuer import AUDIENCE, ISSUER, Issuer
from tests.fakes.receiver import Receiver, receiving
from tests.house.lives import Life

SEEN = (
    "/v1/events",
    "/v1/webhook-endpoints",
    "/v1/connections",
    "/v1/tenants",
    "/v1/providers",
    "/v1/openapi.json",
)


def use_all(lived: Life, row: Connection, folder: Path) -> None:
    """Ask for tokens in every way, be told of events, come as a workload, and read what was written down."""
    ask_in_every_way(lived, row)
    come_as_workload(lived, row, folder)
    webhook_targets.door.cache_clear()
    with receiving() as receiver:
        be_told(lived, receiver)
    webhook_targets.door.cache_clear()
    counts.reads.flush()
    command(lived, "export_audit", "--tenant", "aalto", "--reads", "--output", str(folder / "audit.jsonl"))
    lived.shown.append((folder / "audit.jsonl").read_text())
    command(lived, "verify_audit")
    for path in (*SEEN, f"/v1/connections/{row.id}"):
        lived.shown.append(json.dumps(lived.call("GET", path)))


def ask_in_every_way(lived: Life, row: Connection) -> None:
    """The batch, forward auth, and a link that is asked for twice with one key."""
    asked = {"requests": [{"connection": str(row.id)}, {"tenant": "aalto", "provider": people.PROVIDER}]}
    assert [one["status"] for one in lived.call("POST", "/v1/tokens", asked)["results"]] == [200, 200]
    forwarded = ask(lived, "GET", f"/v1/forward-auth/connections/{row.id}/customers")
    assert forwarded.status_code == 200
    wanted = {"tenant": "aalto", "providers": [people.PROVIDER]}
    links = {
        ask(lived, "POST", "/v1/connect-sessions", wanted, {"Idempotency-Key": "one-link"}).json()["url"]
        for _ in range(2)
    }
    assert len(links) == 1
    lived.canaries.add("link of a repeated request", links.pop().rsplit("/", 1)[-1])


def come_as_workload(lived: Life, row: Connection, folder: Path) -> None:
    """By a token that is good, and by one that is nearly."""
    with Issuer() as issuer:
        keys = folder / "keys.json"
        keys.write_text(json.dumps(issuer.published))
        terms = ("--issuer", ISSUER, "--audience", AUDIENCE, "--algorithm", "ES256", "--jwks-file", str(keys))
        command(lived, "trust_issuer", "cluster", *terms)
        command(lived, "add_workload", "aalto-service", "--issuer", "cluster", "--subject", "workload")
        for name, status, changed in (("good", 200, {}), ("of a stranger", 401, {"sub": "another"})):
            token = issuer.token(**changed)
            lived.canaries.add(f"workload token, {name}", token.rsplit(".", 1)[-1])
            answer = ask(lived, "GET", f"/v1/connections/{row.id}/token", None, {"Authorization": f"Bearer {token}"})
            assert answer.status_code == status, answer.content


def be_told(lived: Life, receiver: Receiver) -> None:
    """By a webhook whose secret is shown twice, for a repeated request, and replaced; one delivery fails."""
    body = {"url": f"{receiver.url}/hook"}
    made = [ask(lived, "POST", "/v1/webhook-endpoints", body, {"Idempotency-Key": "one-hook"}).json() for _ in range(2)]
    assert made[0] == made[1]
    path = f"/v1/webhook-endpoints/{made[0]['id']}"
    lived.canaries.add("webhook secret", made[0]["secret"].removeprefix("whsec_"))
    lived.canaries.add(
        "new webhook secret", lived.call("POST", f"{path}/rotate-secret", {"overlap_seconds": 60})["secret"][6:]
    )
    receiver.answer("/hook", 500, 204)
    for _ in range(2):
        lived.call("POST", f"{path}/test")
    publishing.publish()
    deliver(lived, timezone.now())
    assert {got.status for got in receiver.at("/hook")} == {500, 204}
    lived.shown += [json.dumps(lived.call("GET", one)) for one in (path, f"{path}/deliveries")]


def deliver(lived: Life, now: datetime) -> None:
    """As a worker does, one after another."""
    busy: dict[UUID, int] = {}
    for _ in range(2):
        for parcel in delivering.claim(10, busy):
            answer = delivering.send(parcel, now)
            lived.show(parcel, answer)
            delivering.settle(answer, 0.0)


def ask(lived: Life, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
    """Return the answer to any request; with another Authorization where it is given."""
    given = {"Authorization": f"Bearer {lived.settled.aalto_key}", **(headers or {})}
    return lived.api.generic(
        method, path, json.dumps(body) if body else "", content_type="application/json", headers=given
    )


def command(lived: Life, *words: str) -> None:
    """Run a command and keep what it prints."""
    printed = StringIO()
    call_command(*words, "--json", stdout=printed)
    lived.shown.append(printed.getvalue())
