"""Events, endpoints and what a worker does with them, step by step: for tests of publishing and delivering."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from broker.services import callers, delivering, outbox, publishing, webhook_targets, webhooks
from broker.services.delivering import Answer, Parcel
from broker.services.policy import Grant
from tenants import audit
from tenants.models import ClientRegistration, Connection, Tenant, WebhookDelivery, WebhookEndpoint
from tests import people
from tests.fakes.receiver import Receiver, receiving

ACTOR = audit.caller("tester")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real receiver on this machine."""
    webhook_targets.door.cache_clear()
    with receiving() as one:
        yield one
    webhook_targets.door.cache_clear()


@pytest.fixture
def hook(settled: people.People, receiver: Receiver) -> tuple[WebhookEndpoint, str]:
    """Aalto's service is told of everything there: the endpoint and its secret."""
    return endpoint(settled.aalto_key, f"{receiver.url}/hook")


def grant(key: str) -> Grant:
    return callers.authenticate(callers.parse(f"Bearer {key}"))


def endpoint(key: str, url: str, *types: str) -> tuple[WebhookEndpoint, str]:
    """A caller's new endpoint, and its secret."""
    return webhooks.create(grant(key), url=url, types=types, description="", actor=ACTOR)


def connection(tenant: Tenant, registration: ClientRegistration, label: str = "") -> Connection:
    """A row that nothing is behind."""
    return Connection.objects.create(
        tenant=tenant, registration=registration, provider_id=people.PROVIDER, label=label, state="connected"
    )


def happen(row: Connection, *types: str) -> None:
    """Events of a connection, published."""
    for each in types:
        outbox.write(each, tenant_id=row.tenant_id, connection_id=row.id, state=row.state, reason="")
    publishing.publish()


def deliver(limit: int = 32) -> list[Answer]:
    """What a worker does once with all that is due, one after another."""
    return [settled(parcel) for parcel in delivering.claim(limit, {})]


def settled(parcel: Parcel) -> Answer:
    answer = delivering.send(parcel, timezone.now())
    delivering.settle(answer, 0.5)
    return answer


def deliver_all() -> int:
    """Deliver until nothing is due any more; return how many were sent."""
    sent = 0
    while done := len(deliver()):
        sent += done
    return sent


def states(row: WebhookEndpoint) -> list[str]:
    return list(WebhookDelivery.objects.filter(endpoint=row).order_by("id").values_list("state", flat=True))


def later(seconds: float) -> None:
    """Let so much time pass for everything that waits."""
    with database.cursor() as cursor:
        for statement in (
            "UPDATE tenants_webhookdelivery SET due_at = due_at - %(past)s, leased_until = leased_until - %(past)s,"
            " created_at = created_at - %(past)s",
            "UPDATE tenants_webhookendpoint SET paused_until = paused_until - %(past)s,"
            " failing_since = failing_since - %(past)s, previous_secrets_end_at = previous_secrets_end_at - %(past)s",
        ):
            cursor.execute(statement, {"past": timedelta(seconds=seconds)})


@contextmanager
def counted(statement: str) -> Iterator[list[str]]:
    """Gives a list that fills with the statements which hold this text."""
    seen: list[str] = []

    def look(execute, sql, params, many, context):
        if statement in sql:
            seen.append(sql)
        return execute(sql, params, many, context)

    with database.execute_wrapper(look):
        yield seen


def some_id() -> uuid.UUID:
    return uuid.uuid4()


def only(row: WebhookEndpoint) -> WebhookDelivery:
    """The one delivery to an endpoint."""
    return WebhookDelivery.objects.select_related("event").get(endpoint=row)
