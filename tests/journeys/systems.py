"""Every system that the sandbox plays, registered at one broker: what its journeys are made of.

@pytest.fixture(scope="module")
def scene(installation, tmp_path_factory): ...  # see test_systems.py
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from embedded.demo import systems
from embedded.demo.customer import Customer
from embedded.demo.systems.description import Breach, Call, Run, System, Thing
from tests.fakes.broker import Broker
from tests.fakes.sandbox import SandboxProcess, plain_client
from tests.fakes.workers import Workers
from tests.journeys.installation import Installation
from tests.journeys.service import Service

# Registrations of these may belong to one tenant only.
ONE_TENANT = ("maventa-operator",)
REPORTED = ("content-type", "retry-after", "www-authenticate", "x-ratelimit-remaining", "x-ratelimit-reset")


class Scene:
    """A running broker and sandbox, Aalto's and Birch's services, and a registration at every system."""

    def __init__(self, broker: Broker, sandbox: SandboxProcess, services: Mapping[str, Service]) -> None:
        self.broker = broker
        self.sandbox = sandbox
        self.aalto, self.birch = services["aalto"], services["birch"]
        self.systems: dict[str, System] = {}
        self._base_urls = {one: table["api_base_url"] for one, table in sandbox.control("GET", "environments").items()}
        self._http = plain_client()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def register(self, name: str, **parameters: Mapping[str, str]) -> None:
        """Enter a registration at every system; further parameters by provider, `-` written as `_`."""
        run = Run(name, self.broker.url)
        found = [_with_long_tokens(each) for each in systems.all_systems(run)]
        further = {each.replace("_", "-"): values for each, values in parameters.items()}
        found = [replace(each, parameters={**each.parameters, **further.get(each.provider, {})}) for each in found]
        commands = [(_words(run, each), each.secret) for each in found]
        refused = [made["refused"] for made in self.broker.manage.many(commands) if "refused" in made]
        assert not refused, refused
        for each in found:
            self.systems[each.provider] = each
            self.put(*each.things)
            self.hide(each.secret, *each.typed.values())

    def hide(self, *secrets: str) -> None:
        """No log of the broker may hold these."""
        self.broker.secrets |= {secret for secret in secrets if len(secret) >= 20 and secret.isalnum()}

    def put(self, *things: Thing) -> None:
        """Have the sandbox know these, and forget those without members."""
        for thing in things:
            method = "DELETE" if thing.members is None else "PUT"
            self.sandbox.control(method, f"systems/{thing.path}", thing.members)

    def change(self, path: str, **members: Any) -> None:
        """Change some members of a thing that the sandbox knows."""
        self.sandbox.control("PATCH", f"systems/{path}", members)

    def connect(
        self,
        provider: str,
        *,
        service: Service | None = None,
        link: str = "",
        typed: Mapping[str, str] | None = None,
        **more: Any,
    ) -> str:
        """Return the id of the connection that the customer made, by a link of the service's or by this one."""
        service = service or self.aalto
        session = {} if link else service.connect_session(provider=provider, **more)
        self.visit(provider, link or session["url"], typed)
        return "" if link else str(service.session(session["id"])["connection"])

    def visit(self, provider: str, link: str, typed: Mapping[str, str] | None = None) -> str:
        """Return the text of the last page, for a customer who does all that a link asks for."""
        with Customer({**self.systems[provider].typed, **(typed or {})}) as person:
            return person.connect(link)

    def marked(self, provider: str, link: str, typed: Mapping[str, str] | None = None) -> list[str]:
        """Return the fields that are marked when the customer's values are not taken."""
        with Customer(self.systems[provider].typed) as person:
            return person.refused(link, typed or {})

    def headers(self, connection: str, provider: str, call: Call, *, status: int = 200) -> dict[str, Any]:
        """Return what Aalto gets for a call, or the problem."""
        asked = {"method": call.method, "url": self._base_urls[provider] + call.path}
        if call.body:
            asked |= {"body": call.body, "content_type": call.content_type}
        return self.aalto.headers(connection, asked, status=status)

    def send(self, provider: str, call: Call, headers: Mapping[str, str]) -> httpx2.Response:
        """Return what the vendor's API answers to a call with these headers."""
        own = {"Content-Type": call.content_type} if call.content_type else {}
        url = f"{self._base_urls[provider]}{call.path}"
        return self._http.request(call.method, url, headers={**own, **headers}, content=call.body.encode() or None)

    def call(self, connection: str, provider: str, call: Call | None = None) -> httpx2.Response:
        """Return what the vendor's API answers to a call with headers that are made for it."""
        call = call or self.systems[provider].calls[0]
        return self.send(provider, call, self.headers(connection, provider, call)["headers"])

    def report(self, connection: str, version: int, answer: httpx2.Response, **more: Any) -> dict[str, Any]:
        """Return the verdict on an answer, told word for word."""
        told = {name: value for name, value in answer.headers.items() if name.lower() in REPORTED}
        body = {"status": answer.status_code, "version": version, "body": answer.text, "headers": told, **more}
        found = self.aalto.http.post(f"/connections/{connection}/feedback", json=body)
        assert found.status_code == 200, found.text
        verdict: dict[str, Any] = found.json()
        return verdict

    def token_requests(self, since: int, endpoint: str) -> list[dict[str, Any]]:
        """Return the token requests that the sandbox has seen after an entry of its log."""
        return self.sandbox.log(since=since, endpoint=endpoint)

    def connections(self, provider: str) -> list[tuple[Any, ...]]:
        """Return id, tenant and state of every connection at a provider."""
        found = "SELECT c.id, t.slug, c.state FROM tenants_connection c JOIN tenants_tenant t ON t.id = c.tenant_id"
        return self.broker.rows(f"{found} WHERE c.provider_id = %s", provider)

    def withdraw(self, provider: str) -> None:
        """The customer takes every consent back that they gave at this system."""
        for grant in self.sandbox.grants(alive="true"):
            if self.systems[provider].client_id in grant["client_id"]:
                assert self.sandbox.withdraw(grant["id"])

    def breach(self, provider: str) -> Breach:
        """Return what the demo's customer changes at the vendor."""
        found = self.systems[provider].breach
        assert found is not None
        self.hide(*found.typed.values())
        return found


@contextmanager
def playing(installation: Installation, folder: Path, **parameters: Mapping[str, str]) -> Iterator[Scene]:
    """Gives a scene with one web process and one worker; afterwards no log of theirs may hold a secret."""
    # Reads are written soon, so that a test that counts them knows when all are.
    with installation.with_sandbox(folder, ISSUE_COUNT_FLUSH_SECONDS=1) as (broker, sandbox):
        workers = Workers(broker)
        workers.worker("worker", beat=True)
        broker.start_web()
        with Service(broker, installation.keys["aalto"]) as aalto:
            with Service(broker, installation.keys["birch"], "birch") as birch:
                with closing(Scene(broker, sandbox, {"aalto": aalto, "birch": birch})) as scene:
                    scene.register("journey", **parameters)
                    workers.wait_ready()
                    yield scene
        assert broker.leaks() == []


def _words(run: Run, system: System) -> list[str]:
    words = systems.registration(run, system, "aalto")
    if system.provider in ONE_TENANT:
        return words
    place = words.index("--tenant")
    return words[:place] + words[place + 2 :]


def _with_long_tokens(system: System) -> System:
    """The demo waits for the end of a token; here a test says when."""
    things = (
        replace(one, members={name: value for name, value in one.members.items() if name != "access_token_seconds"})
        for one in system.things
        if one.members is not None
    )
    return replace(system, things=tuple(things))
