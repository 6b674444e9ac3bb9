"""/v1/forward-auth/...: what gateways ask, in the shapes in which each of them asks."""

import hashlib
import json
import uuid

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.services import counts, signatures
from tenants.models import IssueCount
from tests.broker import hand_made
from tests.broker.hand_made import FIVALDI, PARTNER_KEY

OURS = ("X-Broker-", "RateLimit")
EVERY_ANSWERS = {
    "Cache-Control",
    "Content-Length",
    "Cross-Origin-Opener-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
}


def nginx(uri: str, method: str = "GET", **more: str) -> dict[str, str]:
    """What the example for nginx sends: always a GET, to one address for each connection."""
    return {"HTTP_X_ORIGINAL_METHOD": method, "HTTP_X_ORIGINAL_URI": uri, **more}


def traefik(uri: str, method: str = "GET", **more: str) -> dict[str, str]:
    """What Traefik's ForwardAuth sends: a GET, and the service's own headers beside these."""
    return {
        "HTTP_X_FORWARDED_METHOD": method,
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_HOST": "gateway.example",
        "HTTP_X_FORWARDED_URI": uri,
        "HTTP_X_FORWARDED_FOR": "192.0.2.7",
        "HTTP_COOKIE": "session=of-the-service",
        **more,
    }


@pytest.fixture
def ask(settled, call):
    """Ask as a gateway does; `method` is the gateway's own."""

    def send(path, *, key=settled.aalto_key, method="GET", **headers):
        # What the client sets by itself would be the original request's type.
        return call(method, f"/v1/forward-auth{path}", key, **{"CONTENT_TYPE": "", **headers})

    return send


@pytest.fixture
def netvisor(settled):
    yield hand_made.netvisor(settled.aalto)
    signatures.log.flush()


@pytest.fixture
def fivaldi(settled):
    return hand_made.fivaldi(settled.aalto)


def vendors(answer) -> dict[str, str]:
    """The headers of an answer that are the provider's."""
    found = answer.headers.items()
    return {name: value for name, value in found if not name.startswith(OURS) and name not in EVERY_ANSWERS}


def test_a_fresh_token_costs_exactly_one_query_and_comes_as_headers_alone(connect, settled, ask, call):
    connection = connect()
    token = call("GET", f"/v1/connections/{connection.id}/token", settled.aalto_key).json()
    path = f"/connections/{connection.id}"
    # The first one in five minutes fetches the registration's key besides.
    assert ask(path, **nginx("/customers?page=2")).status_code == 200
    with CaptureQueriesContext(database) as queries:
        answer = ask(path, **nginx("/customers?page=2"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(queries) <= 1, [query["sql"] for query in queries]
    assert answer["Authorization"] == f"Bearer {token['access_token']}"
    assert answer["X-Broker-Base-Url"] == token["base_url"]
    assert answer["X-Broker-Connection"] == str(connection.id)
    assert answer["X-Broker-Version"] == str(token["version"])
    assert "Content-Type" not in answer.headers


def test_every_shape_of_the_same_request_gets_the_same_signature(fivaldi, ask, settled, call):
    uri = f"/companies/{hand_made.CUID}/customers?page=1"
    path = f"/connections/{fivaldi.id}"
    described = {"method": "GET", "url": f"{FIVALDI}/customers?page=1"}
    for _ in range(5):
        asked = call("POST", f"/v1{path}/headers", settled.aalto_key, described).json()["headers"]
        answers = [
            ask(path, **nginx(uri)),
            ask(path, **traefik(uri)),
            # Envoy repeats the request itself: method, path and query, none of the body.
            ask(f"{path}{uri}"),
            ask(f"/tenants/aalto/providers/fivaldi{uri}"),
        ]
        # The scheme has whole seconds: those of one second have to agree.
        if {answer["X-Fivaldi-Timestamp"] for answer in answers} == {asked["X-Fivaldi-Timestamp"]}:
            break
    assert [vendors(answer) for answer in answers] == [asked] * 4


def test_escapes_of_a_repeated_path_are_written_again(netvisor, ask, settled):
    answer = ask(f"/connections/{netvisor.id}/some%20thing.nv?keyword=M%C3%A4kel%C3%A4")
    assert answer.status_code == 200, answer.content
    refused = ask(f"/connections/{netvisor.id}/%2e%2e/customerlist.nv")
    assert (refused.status_code, refused.json()["problem"]) == (422, "dot_segment")


def test_envoy_asks_with_the_method_of_the_request(netvisor, ask):
    path = f"/connections/{netvisor.id}/customer.nv?method=add"
    answer = ask(path, method="POST", CONTENT_TYPE="text/xml")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/xml"
    assert ask(path, method="DELETE").json()["field"] == "method"


@pytest.mark.parametrize("name", ["HTTP_AUTHORIZATION", "HTTP_X_BROKER_AUTHORIZATION"])
def test_the_key_comes_in_either_header(netvisor, ask, settled, name):
    path, told = f"/connections/{netvisor.id}", nginx("/customerlist.nv")
    assert ask(path, key=None, **told, **{name: f"Bearer {settled.aalto_key}"}).status_code == 200
    assert ask(path, key=None, **told, **{name: "Bearer of-the-service-itself"}).status_code == 401


def test_the_broker_s_own_header_wins(netvisor, ask, settled):
    path, told = f"/connections/{netvisor.id}", nginx("/customerlist.nv")
    mine, other = f"Bearer {settled.aalto_key}", "Bearer of-the-service-itself"
    assert ask(path, key=None, HTTP_AUTHORIZATION=other, HTTP_X_BROKER_AUTHORIZATION=mine, **told).status_code == 200
    assert ask(path, key=None, HTTP_AUTHORIZATION=mine, HTTP_X_BROKER_AUTHORIZATION=other, **told).status_code == 401


@pytest.mark.parametrize(
    ("told", "rest"),
    [
        ({}, ""),
        (nginx("/customerlist.nv") | traefik("/customerlist.nv"), ""),
        (nginx("/customerlist.nv"), "/customerlist.nv"),
        (traefik("/customerlist.nv"), "/customerlist.nv"),
        (nginx("", "GET"), ""),
        (nginx("/customerlist.nv", ""), ""),
        ({"HTTP_X_ORIGINAL_URI": "/customerlist.nv"}, ""),
        ({"HTTP_X_FORWARDED_METHOD": "GET", "HTTP_X_ORIGINAL_URI": "/customerlist.nv"}, ""),
    ],
)
def test_the_original_request_is_named_exactly_once(netvisor, ask, told, rest):
    """A service's own headers beside the gateway's would be two requests in one."""
    answer = ask(f"/connections/{netvisor.id}{rest}", **told)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert "Authorization" not in answer.headers


@pytest.mark.parametrize("rest", ["%0A", "%0Acustomers", "a%0D%0Ab"])
def test_a_path_with_a_line_break_is_a_path_that_is_refused(connect, ask, rest):
    """And not an address of ours that does not exist."""
    row = connect()
    for known in (f"/connections/{row.id}", f"/tenants/aalto/providers/{row.provider_id}"):
        answer = ask(f"{known}/{rest}")
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "request_refused", "url")
    for unknown in (f"/connections/{uuid.uuid4()}", "/tenants/aalto/providers/no-such-provider"):
        assert ask(f"{unknown}/{rest}").json()["code"] == "connection_not_found"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("customerlist.nv", "foreign_path"),
        (".evil.example/customerlist.nv", "foreign_path"),
        ("@evil.example/customerlist.nv", "foreign_path"),
        ("//evil.example/customerlist.nv", "empty_segment"),
        ("/../customerlist.nv", "dot_segment"),
        ("/%2e%2e/customerlist.nv", "escaped_separator"),
        ("/customerlist.nv#top", "fragment"),
        ("/customerlist.nv\x0b", "control_character"),
    ],
)
def test_what_leaves_the_base_url_is_refused(netvisor, ask, uri, problem):
    answer = ask(f"/connections/{netvisor.id}", **nginx(uri))
    assert (answer.status_code, answer.json()["code"]) == (422, "request_refused")
    assert (answer.json()["field"], answer.json()["problem"]) == ("url", problem)
    assert vendors(answer).keys() == {"Content-Type"}


def test_another_company_s_path_is_refused(fivaldi, ask):
    answer = ask(f"/connections/{fivaldi.id}", **nginx("/companies/ffffffffffffffffffffffffffffffff/customers"))
    assert (answer.status_code, answer.json()["problem"]) == (422, "foreign_company")


def test_a_body_that_is_signed_has_to_be_told_of_by_its_digest(fivaldi, ask, settled, call):
    body = b'{"customerName":"Asiakas Oy"}'
    path, uri = f"/connections/{fivaldi.id}", f"/companies/{hand_made.CUID}/customers/createCustomer"
    told = nginx(uri, "POST", CONTENT_TYPE="application/json")
    refused = ask(path, **told)
    assert (refused.status_code, refused.json()["field"], refused.json()["problem"]) == (422, "body_digest", "missing")
    assert "X-Broker-Body-Digest" in refused.json()["detail"]
    assert "Authorization" not in refused.headers
    digest = hashlib.md5(body).hexdigest()
    described = {"method": "POST", "url": f"{FIVALDI}/customers/createCustomer", "content_type": "application/json"}
    for _ in range(5):
        answer = ask(path, **told, HTTP_X_BROKER_BODY_DIGEST=digest)
        asked = call("POST", f"/v1{path}/headers", settled.aalto_key, {**described, "body": body.decode()}).json()
        if answer["X-Fivaldi-Timestamp"] == asked["headers"]["X-Fivaldi-Timestamp"]:
            break
    assert vendors(answer) == asked["headers"]
    # Its scheme leaves these out, and no other provider of ours signs bodies.
    parts = nginx(uri, "POST", CONTENT_TYPE="multipart/form-data; boundary=x")
    assert ask(path, **parts)["Content-Type"] == "multipart/form-data; boundary=x"


def test_a_refusal_is_in_its_headers_too(connect, settled, ask):
    connection = connect()
    connection.state, connection.reason = "reauthorization_required", "grant_revoked"
    connection.save()
    answer = ask(f"/connections/{connection.id}", **nginx("/customers"))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "reauthorization_required")
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer["X-Broker-Code"], answer["X-Broker-Action"]) == (problem["code"], "send_customer_to_connect_url")
    assert json.loads(answer["X-Broker-Problem"]) == problem
    assert problem["connect_url"]
    assert "Authorization" not in answer.headers


def test_another_tenant_s_key_finds_nothing(netvisor, ask, settled):
    answer = ask(f"/connections/{netvisor.id}", key=settled.birch_key, **nginx("/customerlist.nv"))
    assert (answer.status_code, answer["X-Broker-Code"]) == (404, "connection_not_found")
    unknown = ask("/tenants/nobody/providers/netvisor", key=settled.birch_key, **nginx("/customerlist.nv"))
    assert answer.content == unknown.content


def test_several_connections_are_told_apart_by_label(netvisor, settled, ask):
    other = hand_made.connected(
        settled.aalto,
        netvisor.registration,
        hand_made.entered(customer_id="XX_other", customer_key=hand_made.CUSTOMER_KEY, organisation_id="1572860-0"),
    )
    type(other).objects.filter(pk=other.pk).update(label="other")
    path, told = "/tenants/aalto/providers/netvisor", nginx("/customerlist.nv")
    assert ask(path, **told)["X-Broker-Code"] == "connection_ambiguous"
    assert ask(f"{path}?label=other", **told)["X-Broker-Connection"] == str(other.id)
    assert ask(f"{path}?labels=other", **told)["X-Broker-Code"] == "invalid_request"


def test_a_header_that_gateways_would_change_is_not_given(settled, ask):
    connection = hand_made.netvisor(settled.aalto, sender="Aalto Mäkelä")
    answer = ask(f"/connections/{connection.id}", **nginx("/customerlist.nv"))
    assert (answer.status_code, answer.json()["code"]) == (502, "registration_rejected")
    assert "X-Netvisor-Authentication-Sender" in answer.json()["detail"]
    assert PARTNER_KEY not in str(answer.headers)


def test_what_was_given_is_counted(netvisor, ask, settled):
    ask(f"/connections/{netvisor.id}", **nginx("/customerlist.nv"))
    counts.reads.flush()
    assert IssueCount.objects.filter(connection_id=netvisor.id).count() == 1
