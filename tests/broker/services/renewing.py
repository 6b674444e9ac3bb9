"""What the tests of renewal share: what was sent, what is stored, and many callers at once."""

import threading
from datetime import timedelta
from typing import Any

from django.db import connection as database
from django.db.models.functions import Now

from broker.services import claiming
from tenants.models import Connection, Credential, OutboxEvent, RenewalSlot
from tenants.querysets.slots import Claim


def refreshes(sandbox) -> int:
    return len([entry for entry in sandbox.log(endpoint="token") if entry["grant"]]) - 1


def slot_of(connection: Connection) -> RenewalSlot:
    return RenewalSlot.objects.get(pk=connection.id)


def claim_due() -> list[Claim]:
    """Claim what is due, as a worker does."""
    return claiming.Claimer().claim(50, frozenset())


def make_due(connection: Connection) -> None:
    """Let the time of its next renewal have come."""
    assert RenewalSlot.objects.filter(pk=connection.pk, state="scheduled").update(due_at=Now())


def events(connection: Connection, event_type: str) -> int:
    return OutboxEvent.objects.filter(connection_id=connection.id, type=event_type).count()


def end_in(connection: Connection, *, seconds: int) -> None:
    Credential.objects.filter(pk=connection.id).update(expires_at=Now() + timedelta(seconds=seconds))


def in_threads(count: int, work: Any) -> list[Any]:
    results: list[Any] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        try:
            results.append(work())
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
