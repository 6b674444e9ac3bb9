"""What renewing is measured on: PostgreSQL, Valkey, a sandbox that answers late, workers and beat as in production."""

import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import httpx2
from django.db import connection as database
from django.utils import timezone

from bench import load
from bench.__main__ import Stack, free_port
from embedded.processes import Child

PROVIDER, CLIENT_ID, SECRET, USER = "bench", "sandbox-client", "bench-secret", "anna@acme.example"
LATENCY_SECONDS = 0.2
SCOPES = ("ea:api", "ea:sales_readonly", "offline_access")
_DATABASE_BATCH = 5000
# As eAccounting, whose refresh tokens rotate without grace, but for its rate limit: it would be what is measured.
_CATALOGUE = """
id = "bench"
based_on = "visma-eaccounting"
display_name = "Bench"
documentation = "https://provider.example/docs"
verified_on = 2026-11-21

[environments.local]
issuer = "{url}"
authorization_endpoint = "{url}/connect/authorize"
token_endpoint = "{url}/connect/token"
api_base_url = "{url}/v2"

[traits]
rate_limit_requests_per_minute = 100000
[traits.evidence.rate_limit_requests_per_minute]
source = "made up"
read_on = 2026-11-21
"""


class RenewalStack(Stack):
    """All processes of one measurement, our own, gone afterwards."""

    def start(self) -> None:
        """Start the servers and the sandbox, and migrate."""
        self.sandbox = self._start_sandbox()
        catalogue = self.folder / "catalogue"
        catalogue.mkdir()
        (catalogue / f"{PROVIDER}.toml").write_text(_CATALOGUE.format(url=self.sandbox_url))
        os.environ["CATALOGUE_DIRECTORY"] = str(catalogue)
        os.environ["ESCROW_DIRECTORY"] = str(self.folder / "escrow")
        super().start()

    def _start_sandbox(self) -> Child:
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        port, told = self.sandbox_url.rpartition(":")[2], self.folder / "sandbox.ready"
        command = [
            sys.executable,
            "-m",
            "sandbox",
            "--port",
            port,
            "--client-secret",
            SECRET,
            "--ready-file",
            str(told),
        ]
        child = self.processes.start("sandbox", command)
        deadline = time.monotonic() + 30
        while not told.exists():
            if time.monotonic() > deadline or not child.running:
                raise SystemExit(f"the sandbox did not start: {child.output()}")
            time.sleep(0.05)
        return child

    def servers(self, program: str) -> list[int]:
        """The processes that run this program and were started by us directly."""
        ours = load.descendants(os.getpid())
        named = [pid for pid in ours if program in Path(f"/proc/{pid}/comm").read_text()]
        return [pid for pid in named if load.parent(pid) not in named]

    def control(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """One request to the sandbox's control API."""
        url = f"{self.sandbox_url}/_sandbox/{path}"
        answer = httpx2.request(method, url, json=body, timeout=120, trust_env=False).raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    def grants(self, count: int) -> list[str]:
        """Refresh tokens of so many new grants."""
        found = self.control("POST", "grants", {"client_id": CLIENT_ID, "user": USER, "count": count})
        return found["refresh_tokens"]  # type: ignore[return-value]

    def last_request(self) -> int:
        """How many requests the sandbox has seen."""
        return int(str(self.control("GET", f"log?since={10**15}")["last_number"]))

    def start_workers(self, count: int, *, profile: Path | None = None) -> list[Child]:
        """Workers as docs/runbook.md starts them, and beat; with a profile, workers that write down where time goes."""
        celery = (
            [sys.executable, "-m", "celery"]
            if profile is None
            else [sys.executable, "-m", "bench.profiled", str(profile)]
        )
        command = [*celery, "-A", "broker.celery:app", "worker", "--pool", "threads", "--concurrency", "8"]
        command += ["--loglevel", "INFO"]
        beat = [sys.executable, "-m", "celery", "-A", "broker.celery:app", "beat", "--loglevel", "INFO"]
        beat += ["--schedule", str(self.folder / "beat")]
        self.beat = self.processes.start("beat", beat, environment=os.environ)
        return [
            self.processes.start(f"worker-{n}", [*command, "--hostname", f"bench{n}@%h"], environment=os.environ)
            for n in range(count)
        ]

    def end(self, children: Sequence[Child]) -> None:
        """Ask workers to finish what is out, and wait for them and beat."""
        for child in [*children, self.beat]:
            child.process.terminate()
        for child in [*children, self.beat]:
            child.process.wait(60)
            self.processes.forget(child)


def add_connections(tokens: Sequence[str]) -> None:
    """A connection for each refresh token, due for up to an hour, in no order."""
    from bench import seed  # noqa: PLC0415  models can be imported only after django.setup()
    from broker.services import register  # noqa: PLC0415
    from providers.messages import Secret  # noqa: PLC0415
    from tenants import audit  # noqa: PLC0415
    from tenants.models import Connection, Credential, RenewalSlot  # noqa: PLC0415

    through = register.register_client(
        PROVIDER, environment="local", client_id=CLIENT_ID, client_secret=Secret(SECRET), actor=audit.staff("bench")
    )
    owners, lateness = seed.tenants(), Random(1)
    now = timezone.now()
    for start in range(0, len(tokens), _DATABASE_BATCH):
        batch = tokens[start : start + _DATABASE_BATCH]
        rows = [
            Connection(
                tenant=owners[n % len(owners)],
                registration=through,
                provider_id=PROVIDER,
                state="connected",
                scopes_asked=list(SCOPES),
                scopes_granted=list(SCOPES),
            )
            for n, _ in enumerate(batch, start)
        ]
        Connection.objects.bulk_create(rows)
        Credential.objects.bulk_create(list(_credentials(rows, batch)))
        RenewalSlot.objects.bulk_create(
            RenewalSlot(
                connection=row,
                tenant_id=row.tenant_id,
                registration_id=row.registration_id,
                state="scheduled",
                due_at=now - timedelta(hours=lateness.random()),
                fence=1,
            )
            for row in rows
        )
    _settle()


def _credentials(rows: Sequence[object], tokens: Sequence[str]) -> Iterator[object]:
    from bench import seed  # noqa: PLC0415
    from broker.services import credentials  # noqa: PLC0415
    from providers.messages import OAuthCredential, Secret  # noqa: PLC0415
    from tenants.models import Credential  # noqa: PLC0415
    from tenants.models.credential import credential_context  # noqa: PLC0415

    keys: dict[uuid.UUID, object] = {}
    for row, token in zip(rows, tokens, strict=True):
        key = keys.setdefault(row.tenant_id, None) or credentials.active_data_key(row.tenant_id)
        keys[row.tenant_id] = key
        held = OAuthCredential(access_token=Secret(seed.ACCESS_TOKEN), refresh_token=Secret(token), scope=SCOPES)
        sealed = credentials.seal_under(key, credential_context(row.tenant_id, row.id, 1), credentials.encode(held))
        yield Credential(
            connection=row,
            version=1,
            sealed=sealed.blob,
            data_key=key,
            refresh_fingerprint=credentials.fingerprint_of(key, held),
            # Old enough not to be counted among those that are measured.
            issued_at=timezone.now() - timedelta(hours=2),
            expires_at=timezone.now() + timedelta(minutes=20),
        )


def _settle() -> None:
    with database.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        # Or the windows that follow would pay for writing these rows out.
        cursor.execute("CHECKPOINT")
        cursor.execute("SET statement_timeout = DEFAULT")


def renewed_since(start: float, end: float) -> int:
    """How many credentials were committed between two moments of this machine's clock."""
    count = "SELECT count(*) FROM tenants_credential WHERE issued_at >= to_timestamp(%s)"
    with database.cursor() as cursor:
        cursor.execute(f"{count} AND issued_at < to_timestamp(%s)", [start, end])
        return int(cursor.fetchone()[0])
