"""What renewing is measured on: PostgreSQL, Valkey, a sandbox that answers late, workers and beat as in production."""

import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random

import httpx2
from django.db import connection as database
from django.utils import timezone

from bench import catalogue
from bench.catalogue import PROVIDER
from bench.stack import Stack, free_port
from embedded.processes import Child

CLIENT_ID, SECRET, USER = "sandbox-client", "bench-secret", "anna@acme.example"
LATENCY_SECONDS = 0.2
SCOPES = ("ea:api", "ea:sales_readonly", "offline_access")
_DATABASE_BATCH = 5000


class RenewalStack(Stack):
    """All processes of one measurement, our own, gone afterwards."""

    def start(self) -> None:
        """Start the servers and the sandbox, and migrate."""
        self.sandbox = self._start_sandbox()
        catalogue.write(self.folder, self.sandbox_url)
        super().start()

    def _start_sandbox(self) -> Child:
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        port, told = self.sandbox_url.rpartition(":")[2], self.folder / "sandbox.ready"
        command = [sys.executable, "-m", "sandbox", "--port", port, "--client-secret", SECRET]
        child = self.processes.start("sandbox", [*command, "--ready-file", str(told)])
        deadline = time.monotonic() + 30
        while not told.exists():
            if time.monotonic() > deadline or not child.running:
                raise SystemExit(f"the sandbox did not start: {child.output()}")
            time.sleep(0.05)
        return child

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
