"""A whole life of a connection, with every secret in it as a canary: none gets anywhere but where it belongs."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.test import Client

from broker import tasks
from broker.celery import app
from broker.services import authorize, callers, counts, credentials, feedback, issue, sessions
from tenants.models import AuthorizationRequest, Connection
from tenants.querysets import hand_out, slots
from tests import people
from tests.broker.connect.customer import Customer, at_provider
from tests.fakes.sandbox import CLIENT_SECRET, SandboxProcess
from tests.house.canaries import Canaries, LogOfEverything, dump, forms, listening

CHANGED_PASSWORD = "another-password"


@pytest.fixture
def log() -> Iterator[LogOfEverything]:
    with listening() as heard:
        yield heard


@dataclass
class Life:
    """One connection from its first link to its end; what it says on the way is kept in `shown` and `messages`."""

    settled: people.People
    provider: SandboxProcess
    log: LogOfEverything

    def __post_init__(self) -> None:
        self.canaries = Canaries()
        self.customer, self.api = Customer(), Client()
        self.shown: list[str] = []
        self.messages: list[bytes] = []
        self.canaries.add("client secret", CLIENT_SECRET)
        self.canaries.add("API key", self.settled.aalto_key.split("_")[3])

    def call(self, method: str, path: str, body: object = None) -> Any:
        answer = self.api.generic(
            method,
            path,
            json.dumps(body) if body else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.settled.aalto_key}"},
        )
        assert answer.status_code < 300, answer.content
        return answer.json()

    def walk(self, name: str, url: str, **at_the_sandbox: str) -> Connection:
        """From the link to the result page, noting each secret of the flow as it appears."""
        self.canaries.add(f"{name}: link", urlsplit(url).path.rsplit("/", 1)[-1])
        location = self.customer.start(url)
        flow = AuthorizationRequest.objects.select_related("data_key").latest("created_at")
        self.canaries.add(f"{name}: state", parse_qs(urlsplit(location).query)["state"][0])
        verifier = credentials.unseal(flow.data_key, flow.seal_context(), flow.sealed_verifier).decode()
        self.canaries.add(f"{name}: verifier", verifier)
        cookie = next(value for key, value in self.customer.browser.cookies.items() if flow.id.hex[:8] in key)
        self.canaries.add(f"{name}: browser secret", cookie.value)
        with self.log.deaf():
            back = at_provider(location, **at_the_sandbox)
        self.canaries.add(f"{name}: code", parse_qs(urlsplit(back).query)["code"][0])
        assert self.customer.follow(self.customer.open(back)).status_code == 200
        flow.refresh_from_db()
        assert flow.outcome == "connected"
        self.show(flow, flow.session)
        return self.note_tokens(name)

    def note_tokens(self, name: str) -> Connection:
        """Read what is stored now; the broker's own values are kept as they show themselves."""
        row = Connection.objects.select_related("credential__data_key", "registration__data_key").get()
        opened = credentials.open_current(row.credential, row.tenant_id)
        assert opened.refresh_token is not None
        self.canaries.add(f"{name}: access token", opened.access_token.reveal())
        self.canaries.add(f"{name}: refresh token", opened.refresh_token.reveal())
        self.show(row, row.credential, opened, credentials.registration_value(row.registration))
        return row

    def show(self, *values: object) -> None:
        self.shown += [text for value in values for text in (repr(value), str(value), f"{value}", f"{[value]}")]

    def renew_by_the_queue(self, row: Connection) -> None:
        """As beat and a worker do: the sweep's messages are read off the real queue and carried out."""
        assert slots.make_due(row.pk)
        tasks.sweep_due()
        for message in self.queued():
            self.messages.append(message.body if isinstance(message.body, bytes) else message.body.encode())
            self.messages.append(repr((message.headers, message.properties)).encode())
            arguments, keywords, _ = message.payload
            app.tasks[message.headers["task"]](*arguments, **keywords)

    def queued(self) -> list[Any]:
        with app.connection_for_read() as queue:
            waiting, messages = queue.SimpleQueue("celery"), []
            with suppress(waiting.Empty):
                while True:
                    messages.append(waiting.get_nowait())
                    messages[-1].ack()
        return messages


@pytest.fixture
def life(log: LogOfEverything, settled: people.People, local_provider: SandboxProcess) -> Iterator[Life]:
    """Connect, renew by the queue and by the API, fail in several ways, die, be repaired, disconnect."""
    lived = Life(settled, local_provider, log)
    for _ in lived.queued():
        pass  # what an earlier test left
    wanted = {"tenant": "aalto", "providers": [people.PROVIDER], "return_url": people.RETURN_URL}
    row = lived.walk("first", lived.call("POST", "/v1/connect-sessions", wanted)["url"])
    lived.renew_by_the_queue(row)
    lived.note_tokens("renewed by the queue")
    fail(lived, row)
    token = lived.call("GET", f"/v1/connections/{row.id}/token")
    report = {"status": 401, "version": token["version"]}
    assert lived.call("POST", f"/v1/connections/{row.id}/feedback", report)["verdict"] == "renewed"
    row = lived.note_tokens("renewed by feedback")
    show_values(lived, row)
    local_provider.change_password(password=CHANGED_PASSWORD)
    report = {"status": 401, "version": row.credential.version}
    dead = lived.call("POST", f"/v1/connections/{row.id}/feedback", report)
    assert dead["verdict"] == "confirmed_dead"
    row.refresh_from_db()
    lived.show(feedback.report(row, **report, actor=people.STAFF))
    lived.walk("repair", dead["connect_url"], password=CHANGED_PASSWORD)
    lived.call("GET", f"/v1/connections/{row.id}")
    assert lived.call("DELETE", f"/v1/connections/{row.id}")["revoked_at_provider"] is True
    yield lived
    counts.reads.flush()


def fail(lived: Life, row: Connection) -> None:
    """Renewals that fail in ways that tempt code to write down what it saw."""
    sent = lived.canaries.secrets["renewed by the queue: refresh token"]
    for kind, fields in {
        "html": {},
        "invalid_client": {},
        "error": {"status": 400, "error": "invalid_request", "error_description": f"cannot use {sent}"},
        "drop_before": {},
    }.items():
        lived.provider.fault("token", kind, **fields)
        lived.renew_by_the_queue(row)
    lived.provider.clear_faults()


def show_values(lived: Life, row: Connection) -> None:
    """The services' own values, and what they raise, as a debugger or an error report would print them."""
    presented = callers.parse(f"Bearer {lived.settled.aalto_key}")
    link = sessions.create(lived.settled.aalto, [people.PROVIDER], actor=people.STAFF)
    lived.canaries.add("shown link", link.url.rsplit("/", 1)[-1])
    lived.show(presented, callers.authenticate(presented), link, link.session, credentials.vault())
    started = authorize.begin(link.session, people.PROVIDER)
    lived.canaries.add("shown browser secret", started.browser_secret)
    lived.canaries.add("shown state", parse_qs(urlsplit(started.url).query)["state"][0])
    lived.show(started, issue.issue_to_operator(row.pk, min_ttl=1, actor=people.STAFF))
    lived.show(hand_out.by_connection(presented.key_id, row.pk))
    for model in apps.get_app_config("tenants").get_models():
        lived.show(*model._default_manager.all())


@pytest.mark.django_db(transaction=True)
def test_no_secret_leaves(life, log, capfd):
    canaries = life.canaries
    assert len(canaries.secrets) >= 19, canaries.secrets.keys()
    written = capfd.readouterr()
    places = {
        "log lines": log.lines,
        "unmasked log messages": log.messages,
        "output": [written.out, written.err],
        "database": dump(),
        "queue": life.messages,
        "shown values": life.shown,
    }
    assert all(places[name] for name in places if name != "output")
    assert {name: found for name, hay in places.items() if (found := canaries.found_in(hay))} == {}


@pytest.mark.parametrize("secret", ["a-secret_of~ordinary.length", CLIENT_SECRET])
def test_a_canary_is_found_in_every_disguise(secret):
    canaries = Canaries({"it": secret})
    assert all(canaries.found_in([b"before " + form + b" after"]) == ["it"] for form in forms(secret))
    assert canaries.found_in(["nothing here"]) == []


def test_a_canary_is_found_inside_basic_authentication():
    canaries = Canaries({"it": "a-secret_of~ordinary.length"})
    for client_id in ("a", "ab", "abc", "abcd"):
        text = base64.b64encode(f"{client_id}:{canaries.secrets['it']}:x".encode())
        assert canaries.found_in([text]) == ["it"]
