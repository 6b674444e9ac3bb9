"""POST .../headers: what proves who sends one request to a provider's API."""

import datetime as dt
import hashlib

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.services import counts, signatures
from tenants.models import AuditEvent, ClientRegistration, Connection, Credential, IssueCount
from tests.broker import hand_made
from tests.broker.hand_made import FIVALDI, NETVISOR

GET = {"method": "GET", "url": f"{NETVISOR}/salesinvoicelist.nv?keyword=M%C3%A4kel%C3%A4"}
POST = {
    "method": "POST",
    "url": f"{FIVALDI}/customers/createCustomer",
    "body": '{"customerName":"Asiakas Oy"}',
    "content_type": "application/json",
}


def path(connection: Connection) -> str:
    return f"/v1/connections/{connection.id}/headers"


@pytest.fixture
def netvisor(settled):
    yield hand_made.netvisor(settled.aalto)
    signatures.log.flush()


@pytest.fixture
def fivaldi(settled):
    return hand_made.fivaldi(settled.aalto)


@pytest.fixture
def ask(call, settled):
    def send(connection, described, key=settled.aalto_key):
        return call("POST", path(connection), key, described)

    return send


def test_a_signature_costs_exactly_one_query(netvisor, ask):
    # The first one in five minutes fetches the registration's key besides.
    assert ask(netvisor, GET).status_code == 200
    with CaptureQueriesContext(database) as queries:
        answer = ask(netvisor, GET)
    assert answer.status_code == 200, answer.content
    assert len(queries) == 1, [query["sql"] for query in queries]
    # The driver does not tell the text of a statement that it has prepared before.
    assert (queries[0]["sql"] or "SELECT").lstrip().startswith("SELECT")


def test_signed_headers_are_for_one_request_and_end_soon(netvisor, ask):
    body = ask(netvisor, GET).json()
    assert body["headers"]["X-Netvisor-Authentication-TransactionId"] == body["transaction_id"]
    assert body["headers"]["X-Netvisor-Authentication-CustomerId"] == "XX_demo_1_12345"
    assert (body["single_use"], body["base_url"], body["degraded"]) == (True, NETVISOR, None)
    left = dt.datetime.fromisoformat(body["valid_until"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(0) < left <= dt.timedelta(seconds=60)
    assert ask(netvisor, GET).json()["transaction_id"] != body["transaction_id"]


def test_a_body_given_as_text_base64_or_digest_gives_the_same_signature(fivaldi, ask, monkeypatch):
    text = POST["body"]
    encoded = {"body_base64": "eyJjdXN0b21lck5hbWUiOiJBc2lha2FzIE95In0="}
    digest = {"body_digest": hashlib.md5(text.encode()).hexdigest()}
    without = {name: value for name, value in POST.items() if name != "body"}
    seen = set()
    # The scheme has whole seconds: three answers of one second have to agree.
    for _ in range(5):
        answers = [ask(fivaldi, {**without, **way}).json()["headers"] for way in ({"body": text}, encoded, digest)]
        if len({headers["X-Fivaldi-Timestamp"] for headers in answers}) == 1:
            seen = {headers["Authorization"] for headers in answers}
            break
    assert len(seen) == 1


def test_an_oauth_provider_gives_its_bearer_headers_for_its_own_addresses_only(connect, ask, settled, call):
    connection = connect()
    token = call("GET", f"/v1/connections/{connection.id}/token", settled.aalto_key).json()
    answer = ask(connection, {"method": "GET", "url": f"{token['base_url']}/customers"})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["headers"]["Authorization"] == f"Bearer {token['access_token']}"
    assert (body["single_use"], body["transaction_id"], body["version"]) == (False, None, token["version"])
    elsewhere = ask(connection, {"method": "GET", "url": "https://elsewhere.example/v2/customers"})
    assert (elsewhere.status_code, elsewhere.json()["field"]) == (422, "url")


def test_by_tenant_and_provider_it_is_the_same_connection(netvisor, settled, call):
    answer = call("POST", "/v1/tenants/aalto/providers/netvisor/headers", settled.aalto_key, GET)
    assert answer.json()["headers"]["X-Netvisor-Authentication-CustomerId"] == "XX_demo_1_12345"
    hand_made.connected(settled.aalto, ClientRegistration.objects.get(provider_id="netvisor"), hand_made.entered(a="b"))
    answer = call("POST", "/v1/tenants/aalto/providers/netvisor/headers", settled.aalto_key, GET)
    assert (answer.status_code, answer.json()["code"]) == (409, "connection_ambiguous")


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"url": "https://elsewhere.example/customerlist.nv"}, "url", "foreign_host"),
        ({"url": f"{NETVISOR}:8443/customerlist.nv"}, "url", "foreign_port"),
        ({"url": "https://a:b@integration.netvisor.fi/customerlist.nv"}, "url", "userinfo"),
        ({"url": f"{NETVISOR}/customerlist.nv#top"}, "url", "fragment"),
        ({"url": f"{NETVISOR}/../customerlist.nv"}, "url", "dot_segment"),
        ({"url": f"{NETVISOR}/customerlist.nv?keyword=%E6%BC%A2"}, "url", "character_not_carried"),
        ({"url": f"{NETVISOR}/customerlist.nv?keyword=\ud800"}, "url", None),
        ({"method": "DELETE"}, "method", "method"),
        ({"body": "a", "body_base64": "YQ=="}, "body_base64", "given_twice"),
        ({"body": "a", "body_digest": "0" * 32}, "body_digest", "digest_mismatch"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "headers.X-A", "control_character"),
    ],
)
def test_what_is_not_signed_is_refused_by_place_and_word(netvisor, ask, change, field, problem):
    answer = ask(netvisor, {**GET, **change})
    body = answer.json()
    assert (answer.status_code, body["code"], body["field"]) == (422, "request_refused", field), body
    assert problem in (None, body["problem"])
    assert body["detail"]
    signatures.log.flush()
    assert not AuditEvent.objects.filter(action="request.signed").exists()


def test_a_refusal_says_where(netvisor, ask):
    url = f"{NETVISOR}/customerlist.nv?keyword=a%E6%BC%A2"
    assert ask(netvisor, {**GET, "url": url}).json()["position"] == url.index("%E6")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "null",
        b"\xff",
        '{"method": "GET"}',
        '{"method": "GET", "url": 5}',
        '{"method": "GET", "url": "a", "url": "b"}',
        '{"method": "GET", "url": "a", "headers": {"A": "b", "A": "c"}}',
        '{"method": "GET", "url": "a", "headers": {"A": 1}}',
        '{"method": "GET", "url": "a", "surprise": 1}',
        '{"method": "GET", "url": "a", "body": NaN}',
        "[" * 100_000,
    ],
)
def test_a_body_that_is_not_understood_is_refused(netvisor, ask, body):
    answer = ask(netvisor, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_an_unknown_member_is_named_and_its_value_is_not(netvisor, ask):
    detail = ask(netvisor, {**GET, "client_secret": "not-for-anybody"}).json()["detail"]
    assert "client_secret" in detail
    assert "not-for-anybody" not in detail


def test_a_body_beyond_the_limit_is_refused(netvisor, ask):
    answer = ask(netvisor, {**GET, "body": "x" * 300_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("query", ["?min_ttl=1", "?label=a", "?x"])
def test_the_query_takes_nothing(netvisor, call, settled, query):
    answer = call("POST", path(netvisor) + query, settled.aalto_key, GET)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_another_method_is_told_which_one_it_takes(netvisor, call, settled):
    answer = call("GET", path(netvisor), settled.aalto_key)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_strangers_learn_nothing(netvisor, ask, settled):
    foreign = ask(netvisor, GET, settled.birch_key)
    absent = ask(Connection(), GET, settled.birch_key)
    assert foreign.status_code == 404
    assert foreign.content == absent.content
    assert ask(netvisor, GET, settled.powerless_key).json()["code"] == "forbidden"
    assert ask(netvisor, GET, None).json()["code"] == "unauthenticated"


def test_a_provider_without_tokens_names_what_it_has(netvisor, call, settled):
    answer = call("GET", f"/v1/connections/{netvisor.id}/token", settled.aalto_key)
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_operation")
    assert "hands_out_headers" in answer.json()["supported"]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("pending", "connection_pending"),
        ("reauthorization_required", "reauthorization_required"),
        ("suspended", "connection_suspended"),
        ("disconnected", "connection_disconnected"),
    ],
)
def test_a_connection_that_is_not_served_says_why(netvisor, ask, state, code):
    Connection.objects.filter(pk=netvisor.pk).update(state=state)
    answer = ask(netvisor, GET).json()
    assert answer["code"] == code
    assert ("connect_url" in answer) is (state in ("pending", "reauthorization_required"))


def test_a_degraded_connection_is_served_and_says_so(netvisor, ask):
    Connection.objects.filter(pk=netvisor.pk).update(state="degraded", reason="account_unverified")
    assert ask(netvisor, GET).json()["degraded"] == "account_unverified"


@pytest.mark.parametrize("row", [Credential, ClientRegistration])
def test_a_tampered_secret_is_a_storage_fault(netvisor, ask, row):
    column = "sealed" if row is Credential else "sealed_secrets"
    found = row.objects.get(pk=netvisor.pk if row is Credential else netvisor.registration_id)
    sealed = bytearray(getattr(found, column))
    sealed[-1] ^= 1
    row.objects.filter(pk=found.pk).update(**{column: bytes(sealed)})
    answer = ask(netvisor, GET)
    assert (answer.status_code, answer.json()["code"]) == (500, "storage_fault")


def test_a_registration_that_cannot_sign_is_not_the_callers_fault(settled, ask):
    connection = hand_made.netvisor(settled.aalto)
    ClientRegistration.objects.filter(pk=connection.registration_id).update(client_id="ä漢")
    answer = ask(connection, GET)
    assert (answer.status_code, answer.json()["code"]) == (502, "registration_rejected")


def test_what_was_signed_is_counted_and_written_down_without_what_was_asked(netvisor, ask, settled):
    signatures.log.flush()
    answers = [ask(netvisor, GET).json() for _ in range(3)]
    assert not AuditEvent.objects.filter(action="request.signed").exists()
    signatures.log.flush()
    counts.reads.flush()
    event = AuditEvent.objects.get(action="request.signed")
    requests = event.detail["requests"]
    assert [request["transaction_id"] for request in requests] == [answer["transaction_id"] for answer in answers]
    for request in requests:
        assert request.keys() == {"transaction_id", "method", "host", "at"}
        assert (request["method"], request["host"]) == ("GET", "integration.netvisor.fi")
    assert event.detail.keys() == {"key_id", "requests"}
    assert event.detail["key_id"] == settled.aalto_key.split("_")[2]
    assert (event.actor_kind, event.actor) == ("caller", "aalto-service")
    assert (event.tenant_id, event.connection_id) == (settled.aalto.id, netvisor.id)
    assert IssueCount.objects.get(connection_id=netvisor.id).reads == 3


def test_a_signature_without_a_name_at_the_provider_is_only_counted(fivaldi, ask):
    assert ask(fivaldi, POST).json()["transaction_id"] is None
    signatures.log.flush()
    assert not AuditEvent.objects.filter(action="request.signed").exists()


def test_what_was_signed_is_not_on_the_timeline(netvisor, ask, call, settled):
    ask(netvisor, GET)
    signatures.log.flush()
    shown = call("GET", f"/v1/connections/{netvisor.id}", settled.aalto_key).json()
    assert [event["action"] for event in shown["timeline"]] == []
