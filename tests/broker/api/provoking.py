"""A request for each code of docs/errors.md that provokes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings as configured
from django.db import connection as database
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from broker.services import enrolment, renew
from tenants.models import (
    ApiKey,
    Caller,
    ClientRegistration,
    Connection,
    ConnectSession,
    Credential,
    IdempotentRequest,
    RenewalSlot,
)
from tests import people
from tests.broker import hand_made
from tests.broker.api.conftest import Call
from tests.broker.api.test_callers import SUBJECT
from tests.broker.api.test_token import age
from tests.broker.services import typed_in
from tests.fakes.issuer import Issuer
from tests.fakes.sandbox import SandboxProcess

SESSION = {"tenant": "aalto", "providers": [people.PROVIDER]}
ABSENT = "6b6b5f7e-2f0e-4ac4-b9ae-0d9b7d1a0f00"


@dataclass
class Scene:
    """Aalto with a key, and whatever a provocation connects."""

    call: Call
    settled: people.People
    sandbox: SandboxProcess
    connect: Callable[..., Connection]
    issuer: Callable[[], Issuer]
    key: str = field(repr=False, default="")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call(method, f"/v1/{path}", self.key, body, **headers)

    def token(self, connection: Connection | None = None, query: str = "", **headers: str) -> HttpResponse:
        return self.ask("GET", f"connections/{(connection or self.connect()).pk}/token{query}", **headers)

    def stale(self) -> Connection:
        connection = self.connect()
        age(connection, seconds_left=-5)
        return connection

    def faulty(self, kind: str, **fault: Any) -> HttpResponse:
        connection = self.stale()
        self.sandbox.fault("token", kind, times=5, **fault)
        return self.token(connection)

    def in_state(self, state: str) -> HttpResponse:
        connection = self.connect()
        Connection.objects.filter(pk=connection.pk).update(state=state)
        return self.token(connection)


Provocation = Callable[[Scene], HttpResponse]
# What one request is enough for.
SIMPLE: dict[str, tuple[Any, ...]] = {
    "invalid_request": ("GET", "connections?limit=0"),
    "body_too_large": ("POST", "connect-sessions", {**SESSION, "label": "x" * 300_000}),
    "webhook_target_refused": ("POST", "webhook-endpoints", {"url": "http://example.com/"}),
    "webhook_endpoint_not_found": ("GET", f"webhook-endpoints/{ABSENT}"),
    "webhook_delivery_not_found": ("GET", f"webhook-deliveries/{ABSENT}"),
    "method_not_allowed": ("PUT", "connections"),
    "route_not_found": ("GET", "nothing"),
    "connection_not_found": ("GET", f"connections/{ABSENT}"),
    "tenant_not_found": ("POST", "connect-sessions", {**SESSION, "tenant": "birch"}),
    "connect_session_not_found": ("GET", f"connect-sessions/{ABSENT}"),
    "return_url_not_allowed": ("POST", "connect-sessions", {**SESSION, "return_url": "https://elsewhere.example/"}),
}
PROVOKED: dict[str, Provocation] = {
    code: lambda scene, asked=asked: scene.ask(*asked) for code, asked in SIMPLE.items()
}


def provokes(code: str) -> Callable[[Provocation], Provocation]:
    def register(function: Provocation) -> Provocation:
        assert code not in PROVOKED
        PROVOKED[code] = function
        return function

    return register


@provokes("unauthenticated")
def _no_key(scene: Scene) -> HttpResponse:
    return scene.call("GET", "/v1/connections")


@provokes("issuer_unavailable")
def _no_keys(scene: Scene) -> HttpResponse:
    issuer = scene.issuer()
    issuer.status = 500
    return scene.call("GET", "/v1/connections", issuer.token(sub=SUBJECT))


@provokes("forbidden")
def _powerless(scene: Scene) -> HttpResponse:
    return scene.call("DELETE", f"/v1/connections/{ABSENT}", scene.settled.powerless_key)


@provokes("source_not_allowed")
def _from_elsewhere(scene: Scene) -> HttpResponse:
    enrolment.change_networks(scene.key.split("_")[2], ["192.0.2.0/24"], actor=people.STAFF)
    return scene.ask("GET", "connections")


@provokes("rate_limited")
def _too_often(scene: Scene) -> HttpResponse:
    Caller.objects.filter(name="aalto-service").update(rate_per_minute=1)
    # Three, because a minute may begin between two of them.
    return [scene.ask("GET", "connections") for _ in range(3)][-1]


@provokes("caller_throttled")
def _read_too_many(scene: Scene) -> HttpResponse:
    ApiKey.objects.update(throttled_until=timezone.now() + timedelta(minutes=5))
    return scene.ask("GET", "connections")


@provokes("idempotency_key_reused")
def _key_again(scene: Scene) -> HttpResponse:
    bodies = ({**SESSION, "label": label} for label in "ab")
    return [scene.ask("POST", "connect-sessions", body, HTTP_IDEMPOTENCY_KEY="one") for body in bodies][-1]


@provokes("idempotent_request_at_work")
def _at_work(scene: Scene) -> HttpResponse:
    scene.ask("POST", "connect-sessions", SESSION, HTTP_IDEMPOTENCY_KEY="one")
    IdempotentRequest.objects.update(status=None, sealed=None)
    return scene.ask("POST", "connect-sessions", SESSION, HTTP_IDEMPOTENCY_KEY="one")


@provokes("connection_ambiguous")
def _two(scene: Scene) -> HttpResponse:
    scene.connect(username="ben@books.example")
    scene.connect()
    return scene.ask("GET", f"tenants/aalto/providers/{people.PROVIDER}/token")


@provokes("provider_not_available")
def _no_registration(scene: Scene) -> HttpResponse:
    ClientRegistration.objects.update(disabled_at=timezone.now())
    return scene.ask("POST", "connect-sessions", SESSION)


@provokes("min_ttl_unattainable")
def _short_lived(scene: Scene) -> HttpResponse:
    scene.sandbox.update_client(access_token_seconds=120)
    return scene.token(query="?min_ttl=300")


@provokes("request_refused")
def _foreign_host(scene: Scene) -> HttpResponse:
    connection = hand_made.netvisor(scene.settled.aalto)
    return scene.ask("POST", f"connections/{connection.pk}/headers", {"method": "GET", "url": "https://evil.example/"})


@provokes("invalid_scope")
def _odd_scope(scene: Scene) -> HttpResponse:
    return scene.token(_maventa(scene), "?scope=nonsense")


@provokes("unsupported_operation")
def _no_tokens(scene: Scene) -> HttpResponse:
    return scene.token(hand_made.netvisor(scene.settled.aalto))


@provokes("reauthorization_required")
def _dead(scene: Scene) -> HttpResponse:
    connection = scene.connect()
    scene.sandbox.change_password()
    renew.renew_now(connection.pk)
    renew.renew_now(connection.pk)
    return scene.token(connection)


@provokes("right_missing")
def _locked(scene: Scene) -> HttpResponse:
    connection = _maventa(scene)
    scene.sandbox.system("maventa").change("companies", typed_in.COMPANY, locked=True)
    age(connection, seconds_left=-5)
    return scene.token(connection)


@provokes("account_unverified")
def _unverified(scene: Scene) -> HttpResponse:
    connection = scene.stale()
    # What a renewal of this moment came to; who asks now is told the same.
    RenewalSlot.objects.update(failure_class="account_unverified", failed_at=timezone.now())
    return scene.token(connection)


@provokes("connection_pending")
def _pending(scene: Scene) -> HttpResponse:
    return scene.in_state("pending")


@provokes("connection_disconnected")
def _disconnected(scene: Scene) -> HttpResponse:
    connection = scene.connect()
    scene.ask("DELETE", f"connections/{connection.pk}")
    return scene.token(connection)


@provokes("connection_suspended")
def _suspended(scene: Scene) -> HttpResponse:
    return scene.in_state("suspended")


@provokes("renewal_in_progress")
def _slow(scene: Scene) -> HttpResponse:
    connection = scene.stale()
    scene.sandbox.set_latency(token=0.5)
    answer = scene.token(connection, HTTP_PREFER="wait=0")
    # It goes on by itself, and shall not outlive the test.
    assert scene.token(connection).status_code == 200
    return answer


@provokes("provider_unavailable")
def _down(scene: Scene) -> HttpResponse:
    return scene.faulty("status", status=503)


@provokes("registration_rejected")
def _refuses_us(scene: Scene) -> HttpResponse:
    return scene.faulty("error", error="invalid_client")


@provokes("provider_response_malformed")
def _nonsense(scene: Scene) -> HttpResponse:
    return scene.faulty("html", status=200)


@provokes("storage_fault")
def _tampered(scene: Scene) -> HttpResponse:
    connection = scene.connect()
    Credential.objects.filter(pk=connection.pk).update(sealed=b"tampered")
    return scene.token(connection)


@provokes("internal_error")
def _fault(scene: Scene) -> HttpResponse:
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_connection RENAME TO gone")
        answer = scene.ask("GET", "connections")
        transaction.set_rollback(True)
    return answer


@provokes("broker_unavailable")
def _database_away(scene: Scene) -> HttpResponse:
    with psycopg.connect(**database.get_connection_params()) as other, database.cursor() as cursor:
        other.execute("LOCK TABLE tenants_connection")
        cursor.execute("SET statement_timeout = 50")
        answer = scene.ask("GET", "connections")
        cursor.execute("RESET statement_timeout")
    return answer


@provokes("connect_link_invalid")
def _odd_link(scene: Scene) -> HttpResponse:
    return Client().get("/connect/nonsense")


@provokes("connect_link_expired")
def _old_link(scene: Scene) -> HttpResponse:
    link = scene.ask("POST", "connect-sessions", SESSION).json()
    ConnectSession.objects.update(expires_at=timezone.now())
    return Client().get(link["url"].removeprefix(configured.PUBLIC_URL))


@provokes("authorization_response_invalid")
def _odd_answer(scene: Scene) -> HttpResponse:
    return Client().get(f"/cb/{people.PROVIDER}?code=x&state=nonsense")


def _maventa(scene: Scene) -> Connection:
    typed_in.maventa(scene.sandbox)
    typed = {"company_uuid": typed_in.COMPANY, "user_api_key": typed_in.MAVENTA_KEY}
    return typed_in.enter(scene.settled.aalto, "maventa", typed)
