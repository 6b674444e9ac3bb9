"""Callers may say for which of their users they ask: it is written down beside what they read and do, and decides
nothing."""

import logging

import pytest

from broker.services import counts, signatures
from tenants.models import AuditEvent, IssueCount
from tests import people
from tests.broker import hand_made

USER = "user-4711"
FOR = {"HTTP_ON_BEHALF_OF": USER}
MALFORMED = ("", " ", "two words", "line\nbreak", "käyttäjä", "x" * 65, "tab\there", "\x00")
GET, POST = "GET", "POST"


@pytest.fixture
def connection(connect):
    return connect()


def reads() -> dict[str, int]:
    counts.reads.flush()
    return dict(IssueCount.objects.values_list("on_behalf_of", "reads"))


def paths(connection) -> list[tuple[str, str, object]]:
    """Every way to what a connection holds."""
    named = f"/v1/tenants/aalto/providers/{connection.provider_id}"
    described = {"method": "GET", "url": "https://eaccountingapi.example/v2/customers"}
    return [
        (GET, f"/v1/connections/{connection.id}/token", None),
        (GET, f"{named}/token", None),
        (POST, "/v1/tokens", {"requests": [{"connection": str(connection.id)}]}),
        (POST, f"/v1/connections/{connection.id}/headers", described),
        (GET, f"/v1/forward-auth/connections/{connection.id}/customers", None),
        (GET, f"/v1/connections/{connection.id}", None),
        (GET, "/v1/connections", None),
    ]


def test_reads_are_counted_for_each_user_apart(connection, settled, call):
    path = f"/v1/connections/{connection.id}/token"
    for headers in ({}, FOR, FOR, {"HTTP_ON_BEHALF_OF": "~!"}):
        assert call(GET, path, settled.aalto_key, **headers).status_code == 200
    assert reads() == {"": 1, USER: 2, "~!": 1}


def test_a_batch_and_a_gateway_count_for_the_user_too(connection, settled, call):
    body = {"requests": [{"connection": str(connection.id)}]}
    assert call(POST, "/v1/tokens", settled.aalto_key, body, **FOR).status_code == 200
    asked = {"HTTP_X_ORIGINAL_METHOD": "GET", "HTTP_X_ORIGINAL_URI": "/customers", **FOR}
    assert call(GET, f"/v1/forward-auth/connections/{connection.id}", settled.aalto_key, **asked).status_code == 200
    assert reads() == {USER: 2}


def test_what_was_signed_names_the_user(settled, call):
    connection = hand_made.netvisor(settled.aalto)
    url = "https://integration.netvisor.fi/customerlist.nv"
    path, described = f"/v1/connections/{connection.id}/headers", {"method": "GET", "url": url}
    for headers in (FOR, {}, FOR):
        assert call(POST, path, settled.aalto_key, described, **headers).status_code == 200
    signatures.log.flush()
    events = AuditEvent.objects.filter(action="request.signed")
    assert {event.on_behalf_of: len(event.detail["requests"]) for event in events} == {USER: 2, "": 1}


def test_what_a_caller_changes_names_the_user(connection, settled, call):
    key, body = settled.aalto_key, {"tenant": "aalto", "providers": [connection.provider_id]}
    assert call(POST, "/v1/connect-sessions", key, body, **FOR).status_code == 201
    assert call("DELETE", f"/v1/connections/{connection.id}", key, **FOR).status_code == 200
    by_caller = AuditEvent.objects.filter(
        actor_kind="caller", action__in=("connect_session.created", "connection.disconnected")
    )
    assert [event.on_behalf_of for event in by_caller] == [USER, USER]


@pytest.mark.parametrize("user", MALFORMED, ids=[f"malformed {number}" for number in range(len(MALFORMED))])
def test_what_is_no_id_is_refused_everywhere_and_read_by_nobody(connection, settled, call, user):
    for method, path, body in paths(connection):
        answer = call(method, path, settled.aalto_key, body, HTTP_ON_BEHALF_OF=user)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), path
        assert "On-Behalf-Of" in answer.json()["detail"]
    assert reads() == {}


def test_it_opens_nothing(connection, settled, call):
    """The name of somebody who may read does not help who may not."""
    powerless = people.new_key("reader", [settled.aalto], ("connection.read",))
    for user in (USER, "aalto-service", "admin"):
        answer = call(GET, f"/v1/connections/{connection.id}/token", powerless, HTTP_ON_BEHALF_OF=user)
        assert answer.status_code == 403
        assert (
            call(GET, f"/v1/connections/{connection.id}/token", settled.birch_key, HTTP_ON_BEHALF_OF=user).status_code
            == 404
        )


def test_a_refusal_is_logged_with_the_user(connection, settled, call, caplog):
    with caplog.at_level(logging.INFO, logger="broker.services.decision_log"):
        call(GET, f"/v1/connections/{connection.id}/token", settled.birch_key, **FOR)
    assert [record.on_behalf_of for record in caplog.records if record.msg == "refused"] == [USER]
