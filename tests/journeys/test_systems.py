"""Every system over real processes: connected, called, refused in its own ways, repaired."""

import json
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx2
import pytest

from embedded.demo.forms import read
from embedded.demo.systems import all_systems
from embedded.demo.systems.description import Call, Run
from tests.fakes.broker import wait_until
from tests.journeys.installation import Installation
from tests.journeys.systems import Scene, playing

PROVIDERS = [system.provider for system in all_systems(Run("names", "http://127.0.0.1"))]
FORMS = [system.provider for system in all_systems(Run("names", "http://127.0.0.1")) if system.wrong]
SIGNED = ("netvisor", "fivaldi")
# Their headers are all there is.
WITHOUT_TOKEN = (*SIGNED, "maventa-payslip", "e-conomic")
CALLERS = 32


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("systems")
    # Dinero's application has a grace period; the others have none.
    with playing(installation, folder, dinero={"grace_seconds": "30"}) as found:
        yield found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_connected_by_the_customer_and_called_by_the_service(scene: Scene, provider: str) -> None:
    connection = scene.connect(provider, label="called")
    assert scene.aalto.connection(connection)["state"] == "connected"
    for call in scene.systems[provider].calls:
        answer = scene.call(connection, provider, call)
        assert call.says in answer.text, f"{answer.status_code} {answer.text}"
    given = scene.headers(connection, provider, scene.systems[provider].calls[0])
    assert given["single_use"] is (provider in SIGNED)
    assert (given["valid_until"] is None) is (provider in ("maventa-payslip", "e-conomic", "visma-net"))
    if provider in WITHOUT_TOKEN:
        refused = scene.aalto.token(connection, status=422)
        assert refused["code"] == "unsupported_operation"
        assert "hands_out_headers" in refused["supported"]
    else:
        assert scene.aalto.token(connection)["access_token"]


@pytest.mark.parametrize("provider", FORMS)
def test_a_wrong_value_is_marked_and_nothing_is_stored(scene: Scene, provider: str) -> None:
    system, before = scene.systems[provider], scene.connections(provider)
    link = scene.aalto.connect_session(provider=provider, label="wrong first")["url"]
    marked = scene.marked(provider, link, system.wrong)
    assert next(iter(system.wrong)) in marked
    assert scene.connections(provider) == before
    scene.visit(provider, link)
    assert len(scene.connections(provider)) == len(before) + 1


@pytest.mark.parametrize(
    ("provider", "verdict"),
    [
        ("netvisor", "confirmed_dead"),
        ("maventa", "confirmed_dead"),
        ("maventa-payslip", "confirmed_dead"),
        ("e-conomic", "confirmed_dead"),
        ("tripletex", "confirmed_dead"),
        ("severa", "confirmed_dead"),
        ("procountor", "confirmed_dead"),
        ("fivaldi", "right_missing"),
    ],
)
def test_what_the_vendor_no_longer_accepts_is_found_out_and_repaired(scene: Scene, provider: str, verdict: str) -> None:
    """The customer's key is another one from here on, so the other tests connect with what they were given."""
    connection = scene.connect(provider, label="broken")
    system, breach = scene.systems[provider], scene.breach(provider)
    given = scene.headers(connection, provider, system.calls[0])
    scene.put(*breach.before)
    try:
        refused = scene.send(provider, system.calls[0], given["headers"])
        assert system.calls[0].says not in refused.text
        told = scene.report(connection, given["version"], refused)
        assert told["verdict"] == verdict
        if verdict == "confirmed_dead":
            assert (told["state"], told["action"]) == ("reauthorization_required", "send_customer_to_connect_url")
            dead = scene.headers(connection, provider, system.calls[0], status=409)
            assert (dead["code"], dead["connect_url"]) == ("reauthorization_required", told["connect_url"])
            assert next(iter(breach.typed)) in scene.marked(provider, told["connect_url"])
            scene.put(*breach.afterwards)
            scene.connect(provider, link=told["connect_url"], typed=breach.typed)
        else:
            assert (told["state"], told["connect_url"]) == ("connected", None)
            scene.put(*breach.afterwards)
        assert system.calls[0].says in scene.call(connection, provider).text
        assert scene.aalto.connection(connection)["state"] == "connected"
    finally:
        scene.put(*(thing for thing in breach.afterwards if thing not in system.things and not thing.members))
        scene.put(*system.things)


def test_netvisor_takes_no_headers_twice(scene: Scene) -> None:
    connection, call = scene.connect("netvisor", label="twice"), scene.systems["netvisor"].calls[0]
    given = scene.headers(connection, "netvisor", call)
    assert call.says in scene.send("netvisor", call, given["headers"]).text
    again = scene.send("netvisor", call, given["headers"])
    assert "REQUEST_NOT_UNIQUE" in again.text
    told = scene.report(connection, given["version"], again)
    assert (told["verdict"], told["action"], told["state"]) == ("provider_unavailable", "retry_later", "connected")
    assert scene.call(connection, "netvisor").status_code == 200
    signed = "SELECT count(*) FROM tenants_auditevent WHERE action = 'request.signed'"
    named = f"{signed} AND connection_id = %s AND detail @> %s::jsonb"
    held = json.dumps({"requests": [{"transaction_id": given["transaction_id"]}]})
    wait_until(lambda: scene.broker.rows(named, connection, held) == [(1,)], "the audit event", 10)


@pytest.mark.parametrize(
    ("provider", "path", "problem"),
    [
        ("netvisor", "/../customerlist.nv", "dot_segment"),
        ("netvisor", "/customerlist.nv?keyword=%E2%82%AC%E6%97%A5", "character_not_carried"),
        ("netvisor", "/customerlist.nv#top", "fragment"),
        ("fivaldi", "/companies/ffffffffffffffffffffffff/customers", "foreign_company"),
        ("fivaldi", "/companies", "foreign_company"),
    ],
)
def test_what_may_not_be_signed_is_refused_with_its_place(scene: Scene, provider: str, path: str, problem: str) -> None:
    connection, since = scene.connect(provider, label="refusals"), scene.sandbox.last_number()
    refused = scene.headers(connection, provider, Call(path=path, says=""), status=422)
    assert (refused["code"], refused["field"], refused["problem"]) == ("request_refused", "url", problem)
    assert refused["position"] > 0
    assert scene.sandbox.log(since=since) == []


def test_fivaldi_s_company_belongs_to_one_tenant(scene: Scene) -> None:
    connection = scene.connect("fivaldi", label="mine")
    link = scene.birch.connect_session(provider="fivaldi", locale="en")
    with httpx2.Client(trust_env=False, timeout=30) as browser:
        page = browser.get(link["url"])
        (form,) = [one for one in read(page.text)[0] if one.method == "post"]
        typed = {**form.fields, **scene.systems["fivaldi"].typed}
        refused = browser.post(urljoin(str(page.url), form.action), data=typed)
    assert refused.status_code == 422
    assert "company_taken" in refused.text
    assert {tenant for _, tenant, _ in scene.connections("fivaldi")} == {"aalto"}
    assert scene.aalto.connection(connection)["state"] == "connected"


def test_fivaldi_s_rate_limit_is_passed_on(scene: Scene) -> None:
    connection, system = scene.connect("fivaldi", label="limited"), scene.systems["fivaldi"]
    scene.change(system.things[0].path, rate_limited=True)
    try:
        answers = [scene.call(connection, "fivaldi") for _ in range(24)]
    finally:
        scene.put(system.things[0])
    refused = next(answer for answer in answers if answer.status_code == 429)
    told = scene.report(connection, 1, refused)
    assert (told["verdict"], told["state"]) == ("provider_unavailable", "connected")
    assert told["rate_limit"] == {"x-ratelimit-remaining": "0"}


@pytest.mark.parametrize("provider", ["netvisor", "maventa", "e-conomic"])
def test_a_vendor_that_does_not_answer_stores_nothing_and_keeps_the_link(scene: Scene, provider: str) -> None:
    before = scene.connections(provider)
    link = scene.aalto.connect_session(provider=provider, label="away", locale="en")["url"]
    endpoint = "maventa.token" if provider == "maventa" else provider
    scene.sandbox.fault(endpoint, "status", status=503)
    assert scene.marked(provider, link) == []
    assert scene.connections(provider) == before
    scene.visit(provider, link)


def test_payslip_s_other_way_sends_its_own_headers_only(scene: Scene) -> None:
    username, password = "palkat@acme.example", "a-password-of-the-printing-service"
    scene.sandbox.control("PUT", f"systems/maventa-payslip/logins/{username}", {"password": password})
    typed = {"company_uuid": "", "user_api_key": "", "username": username, "password": password}
    connection = scene.connect("maventa-payslip", label="other way", typed=typed)
    call = scene.systems["maventa-payslip"].calls[0]
    given = scene.headers(connection, "maventa-payslip", call)
    assert given["headers"].keys() - {"Content-Type"} == {"USERNAME", "USERPW"}
    assert scene.send("maventa-payslip", call, given["headers"]).text == call.says + ": RECEIVED"
