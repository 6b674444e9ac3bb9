"""POST .../feedback over HTTP: every verdict, one renewal for one version, and callers with little time."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from broker.api.schemas import FeedbackOut
from broker.services import counts
from tenants.models import Connection, Credential
from tests import people
from tests.broker.api.test_token import path as token_path
from tests.broker.services import typed_in
from tests.broker.services.test_feedback_by_kind import SAID_BY_NETVISOR, UNAUTHORIZED
from tests.together import together

VERDICTS = set(FeedbackOut.model_json_schema()["properties"]["verdict"]["enum"])
MISSING = 'Bearer error="insufficient_scope", scope="archive"'
NO_ACCESS = SAID_BY_NETVISOR.format(code="SERVICE_ACCESS_ERROR", text="No access")
# A report by its verdict: which connection, what its API answered, and what the caller does about it.
CASES = {
    "stale_version": ("used", {"version": 0}, "take_newer_token"),
    "renewed": ("used", {}, "retry_with_new_token"),
    "scope_missing": ("used", {"status": 403, "www_authenticate": MISSING}, "ask_customer_for_more_rights"),
    "right_missing": ("signed", {"status": 200, "body": NO_ACCESS}, "send_customer_to_provider"),
    "account_unverified": ("minted", {"body": UNAUTHORIZED}, "send_customer_to_provider"),
    "confirmed_dead": ("dead", {}, "send_customer_to_connect_url"),
    "provider_unavailable": ("used", {"status": 503}, "retry_later"),
    "not_a_token_problem": ("used", {"status": 404}, "look_at_the_request"),
}


@pytest.fixture
def made(settled, connect, local_provider):
    def make(kind):
        if kind == "signed":
            typed_in.netvisor(local_provider)
            return typed_in.enter(settled.aalto, "netvisor", typed_in.FILLED_IN)
        if kind == "minted":
            typed_in.maventa(local_provider)
            typed = {"company_uuid": typed_in.COMPANY, "user_api_key": typed_in.MAVENTA_KEY}
            return typed_in.enter(settled.aalto, "maventa", typed)
        connection = connect()
        if kind == "dead":
            local_provider.change_password()
        return connection

    yield make
    counts.reads.flush()


@pytest.fixture
def report(settled, call):
    def send(connection, headers=None, key=settled.aalto_key, **told):
        version = Credential.objects.values_list("version", flat=True).get(pk=connection.pk)
        body = {"status": 401, "version": version, **told}
        return call("POST", f"/v1/connections/{connection.pk}/feedback", key, body, **(headers or {}))

    return send


def test_every_verdict_of_the_document_is_here():
    assert set(CASES) == VERDICTS


@pytest.mark.parametrize("verdict", CASES)
def test_a_verdict(made, report, verdict):
    kind, told, action = CASES[verdict]
    connection = made(kind)
    answer = report(connection, **told)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["verdict"], body["action"]) == (verdict, action)
    assert (body["connect_url"] is not None) is (verdict == "confirmed_dead")
    assert body["version"] == Credential.objects.get(pk=connection.pk).version
    connection.refresh_from_db()
    assert (body["state"], body["reason"]) == (connection.state, connection.reason)


def test_the_repair_link_repairs_this_connection(made, report, settled, call):
    connection = made("dead")
    links = [report(connection).json()["connect_url"] for _ in range(2)]
    assert links[0] == links[1]
    assert links[0].startswith("http://127.0.0.1:8000/connect/")
    refused = call("GET", token_path(connection), settled.aalto_key).json()
    assert refused["connect_url"] == links[0]


def test_two_callers_at_once_are_one_renewal_and_each_has_a_verdict(made, report, settled, local_provider):
    connection, sent = made("used"), len(local_provider.log(endpoint="token"))
    other = people.new_key("other-service", [settled.aalto], people.EVERYTHING)
    local_provider.set_latency(token=0.3)
    answers = together(*[lambda key=key: report(connection, key=key) for key in (settled.aalto_key, other)])
    assert {answer.json()["verdict"] for answer in answers} <= {"renewed", "stale_version"}
    assert len(local_provider.log(endpoint="token")) == sent + 1


def in_seconds(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    "headers",
    [{"HTTP_PREFER": "wait=0"}, {"HTTP_X_REQUEST_DEADLINE": "2026-01-01T00:00:00Z"}],
    ids=["no time", "a deadline that has passed"],
)
def test_a_caller_without_time_is_told_at_once_and_the_renewal_goes_on(made, report, local_provider, headers):
    connection, sent = made("used"), len(local_provider.log(endpoint="token"))
    version = Credential.objects.get(pk=connection.pk).version
    local_provider.set_latency(token=2.5)
    start = time.monotonic()
    hurried = report(connection, headers).json()
    assert time.monotonic() - start < 2.2
    assert (hurried["verdict"], hurried["action"], hurried["version"]) == (
        "provider_unavailable",
        "retry_later",
        version,
    )
    assert report(connection, version=version).json()["verdict"] in ("renewed", "stale_version")
    assert len(local_provider.log(endpoint="token")) == sent + 1
    assert Credential.objects.get(pk=connection.pk).version == version + 1


def test_a_caller_with_time_gets_the_verdict(made, report, local_provider):
    local_provider.set_latency(token=0.3)
    assert report(made("used"), {"HTTP_X_REQUEST_DEADLINE": in_seconds(20)}).json()["verdict"] == "renewed"


def test_what_is_no_deadline_is_refused(made, report):
    answer = report(made("used"), {"HTTP_X_REQUEST_DEADLINE": "soon"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert Connection.objects.get().credential.version == 1
