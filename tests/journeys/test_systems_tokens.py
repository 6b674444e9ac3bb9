"""Systems that give out tokens: sets of scopes, states that are no token problems, one-time refresh tokens."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import pytest

from embedded.demo.expectations import Unexpected
from embedded.demo.systems.description import Call
from tests.fakes.broker import wait_until
from tests.journeys.installation import Installation
from tests.journeys.systems import Scene, playing

CALLERS = 32
INVOICES = Call(path="/v1/invoices", says="[]")
COMPANIES = Call(path="/v1/companies", says="Acme Oy")


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("tokens")
    # Dinero's application has a grace period; Yuki's has none.
    with playing(installation, folder, dinero={"grace_seconds": "30"}) as found:
        yield found


def company_path(scene: Scene) -> str:
    return next(thing.path for thing in scene.systems["maventa"].things if "/companies/" in thing.path)


def app_path(scene: Scene, provider: str) -> str:
    return next(thing.path for thing in scene.systems[provider].things if "/apps/" in thing.path)


def test_a_token_without_the_right_is_tried_afresh_once(scene: Scene) -> None:
    connection = scene.connect("maventa", label="no access")
    token = scene.aalto.token(connection, scope="lookup")
    since = scene.sandbox.last_number()
    refused = scene.send("maventa", COMPANIES, token["headers"])
    assert refused.status_code == 401
    told = scene.report(connection, token["version"], refused, scope="lookup")
    assert (told["verdict"], told["action"]) == ("renewed", "retry_with_new_token")
    fresh = scene.aalto.token(connection, scope="lookup")
    assert fresh["access_token"] != token["access_token"]
    again = scene.send("maventa", COMPANIES, fresh["headers"])
    assert again.status_code == 401
    told = scene.report(connection, fresh["version"], again, scope="lookup")
    assert (told["verdict"], told["action"]) == ("not_a_token_problem", "look_at_the_request")
    assert scene.aalto.connection(connection)["state"] == "connected"
    assert len(scene.token_requests(since, "maventa.token")) == 1
    assert COMPANIES.says in scene.call(connection, "maventa", COMPANIES).text


def test_many_callers_of_one_set_of_scopes_cause_one_token_request(scene: Scene) -> None:
    connection = scene.connect("maventa", label="many")
    since = scene.sandbox.last_number()
    # Long enough that every caller comes while the request is under way.
    scene.sandbox.set_latency(**{"maventa.token": 1.0})
    try:
        answers = ask_together(scene, connection, "document:send lookup")
    finally:
        scene.sandbox.set_latency()
    assert len(scene.token_requests(since, "maventa.token")) == 1
    served = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    scene.hide(*served)
    assert len(set(served)) == 1
    late = [answer for answer in answers if answer.status_code != 200]
    assert [answer.status_code for answer in late] in ([], [503])
    # Another order of the same scopes is the same set.
    assert scene.aalto.token(connection, scope="lookup document:send")["access_token"] == served[0]
    assert len(scene.token_requests(since, "maventa.token")) == 1


def ask_together(scene: Scene, connection: str, scope: str) -> list[httpx2.Response]:
    barrier = Barrier(CALLERS)

    def ask(_: int) -> httpx2.Response:
        barrier.wait(timeout=20)
        return scene.aalto.http.get(f"/connections/{connection}/token", params={"scope": scope})

    with ThreadPoolExecutor(max_workers=CALLERS) as callers:
        return list(callers.map(ask, range(CALLERS)))


def test_a_company_that_is_not_verified_is_a_state_and_no_token_problem(scene: Scene) -> None:
    connection, path = scene.connect("maventa", label="unverified"), company_path(scene)
    token = scene.aalto.token(connection)
    scene.change(path, verified=False)
    since = scene.sandbox.last_number()
    try:
        refused = scene.send("maventa", INVOICES, token["headers"])
        assert refused.status_code == 401
        told = scene.report(connection, token["version"], refused)
        assert (told["verdict"], told["state"], told["reason"]) == (
            "account_unverified",
            "degraded",
            "account_unverified",
        )
        assert told["explanation"]
        assert scene.aalto.token(connection)["access_token"] == token["access_token"]
    finally:
        scene.change(path, verified=True)
    good = scene.send("maventa", INVOICES, token["headers"])
    assert good.text == INVOICES.says
    scene.report(connection, token["version"], good)
    assert scene.aalto.connection(connection)["state"] == "connected"
    assert scene.token_requests(since, "maventa.token") == []


@pytest.mark.parametrize(("provider", "status", "code"), [("yuki", 422, "unsupported_operation")])
def test_scopes_of_the_caller_s_choice_only_where_tokens_are_made_so(
    scene: Scene, provider: str, status: int, code: str
) -> None:
    connection = scene.connect(provider, label="scopes")
    assert scene.aalto.token(connection, status=status, scope="openid")["code"] == code


def test_an_unknown_scope_names_those_that_there_are(scene: Scene) -> None:
    connection = scene.connect("maventa", label="unknown scope")
    refused = scene.aalto.token(connection, status=422, scope="lookup everything")
    assert (refused["code"], refused["scope"]) == ("invalid_scope", "everything")
    assert "lookup" in refused["supported"]


def test_a_401_of_a_token_that_never_expires_is_final(scene: Scene) -> None:
    connection = scene.connect("visma-net", label="final")
    token, call = scene.aalto.token(connection), scene.systems["visma-net"].calls[0]
    assert token["expires_at"] is None
    assert token["headers"]["ipp-company-id"] == scene.systems["visma-net"].typed["company"]
    scene.withdraw("visma-net")
    since = scene.sandbox.last_number()
    refused = scene.send("visma-net", call, token["headers"])
    assert refused.status_code == 401
    told = scene.report(connection, token["version"], refused)
    assert (told["verdict"], told["reason"]) == ("confirmed_dead", "grant_revoked")
    # The vendor's own name for the incident, for its support.
    assert told["error_id"] == refused.json()["ExceptionMessageID"]
    assert scene.token_requests(since, "visma-net.token") == []
    scene.connect("visma-net", link=told["connect_url"])
    assert call.says in scene.call(connection, "visma-net").text


def test_a_user_without_the_api_role_is_told_who_can_give_it(scene: Scene) -> None:
    system = scene.systems["visma-net-erp"]
    tenant = next(thing.path for thing in system.things if "/tenants/" in thing.path)
    scene.change(tenant, api_role=False)
    session = scene.aalto.connect_session(provider="visma-net-erp", label="role", locale="en")
    try:
        text = scene.visit("visma-net-erp", session["url"])
    finally:
        scene.change(tenant, api_role=True)
    assert "API User" in text
    assert "Visma Admin" in text
    assert scene.aalto.session(session["id"])["connection"] is None
    assert scene.connect("visma-net-erp", label="role")


def test_an_answer_that_is_lost_is_asked_for_again_within_the_grace_period(scene: Scene) -> None:
    scene.change(app_path(scene, "dinero"), grace_seconds=30)
    connection = scene.connect("dinero", label="lost answer")
    token, since = scene.aalto.token(connection), scene.sandbox.last_number()
    scene.sandbox.fault("visma-connect.token", "drop_after", client_id=scene.systems["dinero"].client_id)
    refused = httpx2.Response(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    scene.report(connection, token["version"], refused)
    scene.aalto.wait(connection, lambda seen: seen["version"] > token["version"], "the renewal", 30)
    sent = scene.token_requests(since, "visma-connect.token")
    assert [(one["decision"], one["reason"]) for one in sent] == [("rotated", ""), ("rotated", "within the grace time")]
    assert sent[0]["presented"] == sent[1]["presented"]
    assert scene.aalto.connection(connection)["state"] == "connected"
    assert scene.systems["dinero"].calls[0].says in scene.call(connection, "dinero").text


def test_a_one_time_refresh_token_is_sent_once(scene: Scene) -> None:
    path, client_id = app_path(scene, "yuki"), scene.systems["yuki"].client_id
    since = scene.sandbox.last_number()

    def renewals() -> list[dict[str, Any]]:
        sent = scene.token_requests(since, "visma-connect.token")
        return [one for one in sent if one["client_id"] == client_id and one["decision"] != "issued"]

    scene.change(path, access_token_seconds=3)
    try:
        connection = scene.connect("yuki", label="one time")
        wait_until(lambda: len(renewals()) >= 2, "two renewals unasked", 30)
    finally:
        scene.change(path, access_token_seconds=3600)
    assert {one["decision"] for one in renewals()} == {"rotated"}
    assert len({one["presented"] for one in renewals()}) == len(renewals())
    assert scene.aalto.connection(connection)["state"] == "connected"


def test_a_service_application_is_let_in_by_the_administrator_alone(scene: Scene) -> None:
    system = scene.systems["visma-net-erp-service"]
    tenant = next(thing.path for thing in system.things if "/tenants/" in thing.path)
    scene.change(tenant, apps=[])
    link = scene.aalto.connect_session(provider="visma-net-erp-service", label="approved", locale="en")["url"]
    assert scene.marked("visma-net-erp-service", link) == ["tenant_id"]
    scene.change(tenant, apps=[system.client_id])
    scene.visit("visma-net-erp-service", link)


def test_another_company_s_user_does_not_repair_a_connection(scene: Scene) -> None:
    connection = scene.connect("maventa", label="mismatch")
    link = scene.aalto.connect_session(provider="maventa", connection=connection)["url"]
    other = "11111111-2222-4333-8444-555555555555"
    key = "another-company-s-key-0123456789"
    scene.sandbox.control("PUT", f"systems/maventa/companies/{other}", {"name": "Other Oy", "keys": {key: None}})
    with pytest.raises(Unexpected, match="422"):
        scene.visit("maventa", link, {"company_uuid": other, "user_api_key": key})
    seen = scene.aalto.connection(connection)
    assert (seen["state"], seen["external_account"]) == ("connected", "Acme Oy")
    assert COMPANIES.says in scene.call(connection, "maventa", COMPANIES).text
