"""Keys that people type in, tokens that are made of them and signatures: none gets anywhere but where it belongs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from broker.services import counts, credentials, register, signatures
from embedded.demo.systems import all_systems
from embedded.demo.systems.description import Call, Run, System, Thing
from providers.messages import EnteredCredential, OAuthCredential, Secret
from tenants.models import Connection, RenewalSlot
from tests import people
from tests.fakes.sandbox import SandboxProcess
from tests.house.canaries import LogOfEverything, dump, listening
from tests.house.lives import Life

RUN = Run("life", "http://testserver")
FORMS = {system.provider: system for system in all_systems(RUN) if "password" not in system.typed}
# What a customer types in that is no secret: it is shown on pages and looked up in lists.
PUBLIC = {"customer_id", "organisation_id", "company", "company_uuid", "tenant_id", "severa_client_id"}
# What only one request carries; a name of Netvisor's is its partner's, and no secret.
SIGNATURES = ("X-Netvisor-Authentication-MAC", "Authorization", "USER-API-KEY", "X-AgreementGrantToken")


class TypedLife(Life):
    """One connection of a form: typed in wrong and right, called, renewed, refused, repaired, looked at by staff."""

    system: System

    def arrange(self, system: System) -> None:
        self.system = system
        self.put(*system.things)
        register.register_client(
            system.provider,
            environment="local",
            client_id=system.client_id,
            client_secret=Secret(system.secret) if system.secret else None,
            scopes=system.scopes,
            parameters=system.parameters,
            tenant=self.settled.aalto if system.provider == "maventa-operator" else None,
            redirect_key="life",
            actor=people.STAFF,
        )
        if system.secret:
            self.canaries.add("vendor key", system.secret)
        self.note_typed("typed", system.typed)

    def put(self, *things: Thing) -> None:
        """At the vendor, by a client that is not the broker's."""
        with self.log.deaf():
            for thing in things:
                method = "DELETE" if thing.members is None else "PUT"
                self.provider.control(method, f"systems/{thing.path}", thing.members)

    def note_typed(self, name: str, typed: Any) -> None:
        for field, value in typed.items():
            if field not in PUBLIC:
                self.canaries.add(f"{name}: {field}", value)

    def fill_in(self, name: str, url: str, typed: Any) -> int:
        """Send the form, noting each secret as it appears; the status of the answer."""
        self.canaries.add(f"{name}: link", url.rsplit("/", 1)[-1])
        self.note_typed(name, typed)
        answer = self.customer.press(self.customer.open(url), **{**self.system.typed, **typed})
        if answer.status_code == 303:
            assert self.customer.follow(answer).status_code == 200
            for key, cookie in self.customer.browser.cookies.items():
                if key != "csrftoken" and len(cookie.value) > 20:
                    self.canaries.add(f"{name}: browser secret {key}", cookie.value)
        return answer.status_code

    def note_credential(self, name: str) -> Connection:
        row = Connection.objects.select_related("credential__data_key", "registration__data_key").get()
        opened = credentials.open_current(row.credential, row.tenant_id)
        entered = opened if isinstance(opened, EnteredCredential) else opened.entered
        assert entered is not None
        self.note_typed(name, {field: value.reveal() for field, value in entered.fields.items() if field != "cuid"})
        if isinstance(opened, OAuthCredential):
            self.canaries.add(f"{name}: access token", opened.access_token.reveal())
        self.show(row, row.credential, opened, credentials.registration_value(row.registration))
        return row

    def headers(self, row: Connection, call: Call) -> dict[str, Any]:
        base = self.provider.control("GET", "environments")[self.system.provider]["api_base_url"]
        asked = {"method": call.method, "url": base + call.path}
        asked |= {"body": call.body, "content_type": call.content_type} if call.body else {}
        given: dict[str, Any] = self.call("POST", f"/v1/connections/{row.id}/headers", asked)
        for name in given["headers"].keys() & set(SIGNATURES):
            self.canaries.add(f"header {name}", given["headers"][name].removeprefix("Bearer ").removeprefix("Basic "))
        return given


@pytest.fixture
def log() -> Iterator[LogOfEverything]:
    with listening() as heard:
        yield heard


@pytest.fixture
def life(
    request: pytest.FixtureRequest, log: LogOfEverything, settled: people.People, local_provider: SandboxProcess
) -> Iterator[TypedLife]:
    lived = TypedLife(settled, local_provider, log)
    for _ in lived.queued():
        pass  # what an earlier test left
    lived.arrange(FORMS[request.param])
    live(lived)
    yield lived
    counts.reads.flush()


def live(lived: TypedLife) -> None:
    system = lived.system
    url = lived.call("POST", "/v1/connect-sessions", {"tenant": "aalto", "providers": [system.provider]})["url"]
    if system.wrong:
        assert lived.fill_in("wrong", url, system.wrong) == 422
    assert lived.fill_in("first", url, {}) == 303
    row = lived.note_credential("first")
    given = lived.headers(row, system.calls[0])
    if system.further_scopes:
        path = f"/v1/connections/{row.id}/token?scope={system.further_scopes.replace(' ', '%20')}"
        lived.canaries.add("token by scopes", lived.call("GET", path)["access_token"])
    renew(lived, row)
    report(lived, row, given["version"])
    if system.breach and system.breach.verdict == "confirmed_dead":
        repair(lived, row)
    lived.call("GET", f"/v1/connections/{row.id}")
    signatures.log.flush()
    look(lived, row)
    lived.call("DELETE", f"/v1/connections/{row.id}")


def renew(lived: TypedLife, row: Connection) -> None:
    """Where a token is made: by the queue, well and with answers that tempt code to write down what it saw."""
    if not RenewalSlot.objects.filter(pk=row.pk, state=RenewalSlot.State.SCHEDULED).exists():
        return
    lived.renew_by_the_queue(row)
    lived.note_credential("renewed")
    for kind, more in {"html": {}, "drop_before": {}, "status": {"status": 500}}.items():
        lived.provider.fault("*", kind, **more)
        lived.renew_by_the_queue(row)
    lived.provider.clear_faults()


def report(lived: TypedLife, row: Connection, version: int) -> None:
    """A caller tells of an answer that repeats what was sent; the broker may keep the words, and not the secret."""
    # What the broker hands to callers or sends itself; another system's secret it could not tell from any other word.
    ours = [name for name in lived.canaries.secrets if not name.endswith(("link", "client secret", "API key"))]
    secrets = [lived.canaries.secrets[name] for name in ours]
    body = json.dumps({"message": f"not valid: {' '.join(secrets)}", "code": "odd", "errorCode": "odd"})
    lived.call("POST", f"/v1/connections/{row.id}/feedback", {"status": 400, "version": version, "body": body[:8000]})


def repair(lived: TypedLife, row: Connection) -> None:
    breach = lived.system.breach
    assert breach is not None
    lived.put(*breach.before, *breach.afterwards)
    wanted = {"tenant": "aalto", "providers": [lived.system.provider], "connection": str(row.id)}
    url = lived.call("POST", "/v1/connect-sessions", wanted)["url"]
    assert lived.fill_in("repair", url, breach.typed) == 303
    lived.note_credential("repaired")


def look(lived: TypedLife, row: Connection) -> None:
    """What staff see, word for word."""
    desk = Client()
    desk.force_login(User.objects.create_superuser("root-anna"))
    pages = [
        reverse("admin:tenants_connection_change", args=[row.pk]),
        reverse("admin:tenants_clientregistration_change", args=[row.registration_id]),
        *(reverse(f"admin:tenants_{each}_changelist") for each in ("connection", "clientregistration", "auditevent")),
    ]
    for url in pages:
        answer = desk.get(url)
        assert answer.status_code == 200
        lived.shown.append(answer.content.decode())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("life", FORMS, indirect=True)
def test_no_key_leaves(life, log, capfd):
    written = capfd.readouterr()
    assert len(life.canaries.secrets) >= 6, life.canaries.secrets.keys()
    places = {
        "log lines": log.lines,
        # Django names the path of a form that is shown again, link and all; the settings keep that from every handler.
        "unmasked log messages": [one for one in log.messages if not one.startswith("django.request: Unprocessable")],
        "output": [written.out, written.err],
        "database": dump(),
        "queue": life.messages,
        "shown values and pages": life.shown,
    }
    assert all(places[name] for name in places if name not in ("output", "queue"))
    assert {name: found for name, hay in places.items() if (found := life.canaries.found_in(hay))} == {}


def test_every_form_is_lived_through():
    assert len(FORMS) == 11
