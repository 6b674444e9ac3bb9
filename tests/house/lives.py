"""What a connection lives through in a test that looks for its secrets: everything that is said on the way is kept."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from broker import tasks
from broker.celery import app
from broker.services import credentials
from tenants.models import AuthorizationRequest, Connection
from tests import people
from tests.broker.connect.customer import Customer, at_provider
from tests.broker.services.renewing import make_due
from tests.fakes.sandbox import CLIENT_SECRET, SandboxProcess
from tests.house.canaries import Canaries, LogOfEverything


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
        make_due(row)
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
