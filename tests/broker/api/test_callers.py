"""Who gets in: keys and workloads, from where, how much; on the routes by hand and on the described ones alike."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from broker.services import counts, enrolment, issuer_keys, issuers, workload_identity
from broker.services.decision_log import DecisionLog
from broker.services.issuer_keys import AllPublished
from broker.services.issuer_rows import TrustedIssuers
from broker.services.workload_identity import Verifier
from tenants.models import ApiKey, Caller, IssueCount, TrustedIssuer
from tests import people
from tests.fakes.issuer import AUDIENCE, ISSUER, Issuer, make_key, sign

SUBJECT = "system:serviceaccount:billing:invoicing"


@pytest.fixture
def issuer(settled: people.People, settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer whose subject comes in as Aalto's service; this process knows nothing of it yet."""
    settings.ALLOW_LOOPBACK_PROVIDERS = settings.DEMO = True
    fresh = Verifier(TrustedIssuers(), AllPublished(issuer_keys.fetch))
    monkeypatch.setattr(workload_identity, "verifier", fresh)
    with Issuer() as running:
        issuers.trust(
            "cluster",
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=["ES256"],
            jwks_uri=running.jwks_uri,
            actor=people.STAFF,
        )
        enrolment.add_workload("aalto-service", issuer="cluster", subject=SUBJECT, actor=people.STAFF)
        yield running


def routes(connection: object) -> list[tuple[str, str]]:
    """One route by hand, one that is described."""
    return [("GET", f"/v1/connections/{connection.id}/token"), ("GET", f"/v1/connections/{connection.id}")]


def answers(call, connection, key: str, **headers: str) -> list[tuple[int, str]]:
    got = [call(method, path, key, **headers) for method, path in routes(connection)]
    return [(each.status_code, each.json().get("code", "")) for each in got]


SERVED = [(200, ""), (200, "")]
UNKNOWN = [(401, "unauthenticated")] * 2


def test_a_workload_gets_what_its_caller_may_have(connect, issuer, call):
    connection = connect()
    assert answers(call, connection, issuer.token(sub=SUBJECT)) == SERVED
    assert answers(call, connection, issuer.token(sub="somebody:else")) == UNKNOWN
    assert issuer.asked == 1


def test_a_workload_too_says_for_whom_it_reads(connect, issuer, call):
    connection = connect()
    assert answers(call, connection, issuer.token(sub=SUBJECT), HTTP_ON_BEHALF_OF="user-1") == SERVED
    counts.reads.flush()
    assert IssueCount.objects.get().on_behalf_of == "user-1"


def test_a_workload_of_another_caller_sees_nothing_of_it(connect, issuer, call):
    enrolment.add_workload("birch-service", issuer="cluster", subject="birch", actor=people.STAFF)
    assert answers(call, connect(), issuer.token(sub="birch")) == [(404, "connection_not_found")] * 2


def test_revoked_by_row_or_by_issuer_or_by_caller_it_is_unknown(connect, issuer, call, settings):
    settings.KEY_TRUSTED_SECONDS = 0
    connection, token = connect(), issuer.token(sub=SUBJECT)
    rows = ApiKey.objects.filter(subject=SUBJECT)
    for end, begin in (
        (lambda: rows.update(revoked_at=timezone.now()), lambda: rows.update(revoked_at=None)),
        (lambda: TrustedIssuer.objects.update(active=False), lambda: TrustedIssuer.objects.update(active=True)),
        (lambda: Caller.objects.update(active=False), lambda: Caller.objects.update(active=True)),
    ):
        assert answers(call, connection, token) == SERVED
        end()
        assert answers(call, connection, token) == UNKNOWN
        begin()


def test_every_refusal_of_a_stranger_reads_the_same(connect, issuer, call):
    connection = connect()
    own = make_key("ES256", "first")
    payload = json.dumps(issuer.claims(sub=SUBJECT)).encode()
    public = issuer.key.as_pem(private=False)
    revoked = enrolment.create_key("aalto-service", expires_days=1, actor=people.STAFF)[1]
    enrolment.revoke_key(revoked.split("_")[2], actor=people.STAFF)
    strangers = [
        issuer.token(sub="nobody"),
        issuer.token(sub=SUBJECT, iss="https://other.example"),
        issuer.token(sub=SUBJECT, aud="another"),
        issuer.token(sub=SUBJECT, exp=1),
        issuer.token(sub=SUBJECT, exp=None),
        issuer.token(sub=SUBJECT, header={"kid": "second"}),
        issuer.token(sub=SUBJECT, key=own),
        issuer.token(sub=SUBJECT, key=own, header={"jwk": own.as_dict(private=False)}),
        sign({"alg": "HS256", "kid": "first"}, payload, public),
        sign({"alg": "none", "kid": "first"}, payload, None),
        "a.b.c",
        revoked,
    ]
    for method, path in routes(connection):
        got = [call(method, path, stranger) for stranger in strangers]
        assert {(each.status_code, each.content, each["WWW-Authenticate"]) for each in got} == {
            (401, got[0].content, "Bearer")
        }
    assert answers(call, connection, issuer.token(sub=SUBJECT)) == SERVED


def test_without_the_issuer_s_keys_the_answer_is_to_try_again(connect, issuer, call):
    issuer.status = 500
    connection, token = connect(), issuer.token(sub=SUBJECT)
    method, path = routes(connection)[0]
    answer = call(method, path, token)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "issuer_unavailable", True)
    assert int(answer["Retry-After"]) >= 1
    assert answers(call, connection, people_key(connection)) == SERVED


def people_key(connection: object) -> str:
    return enrolment.create_key("aalto-service", expires_days=1, actor=people.STAFF)[1]


@pytest.mark.parametrize("networks", [["192.0.2.0/24"], ["2001:db8::/32", "::ffff:192.0.2.0/120"]])
def test_a_key_comes_from_its_networks_only(connect, settled, call, networks):
    connection, key = connect(), settled.aalto_key
    enrolment.change_networks(key.split("_")[2], networks, actor=people.STAFF)
    for source in ("192.0.2.7", "::ffff:192.0.2.7"):
        assert answers(call, connection, key, REMOTE_ADDR=source) == SERVED
    for source in ("192.0.3.7", "::1", ""):
        assert answers(call, connection, key, REMOTE_ADDR=source) == [(403, "source_not_allowed")] * 2
    # What a client says of itself counts only behind the trusted proxy.
    forged = {"REMOTE_ADDR": "192.0.3.7", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}
    assert answers(call, connection, key, **forged) == [(403, "source_not_allowed")] * 2


def test_a_throttled_key_is_turned_away_and_the_caller_s_other_one_is_not(connect, settled, call):
    connection, key = connect(), settled.aalto_key
    other = people_key(connection)
    rows = ApiKey.objects.filter(key_id=key.split("_")[2])
    rows.update(throttled_until=timezone.now() + timedelta(minutes=30))
    assert answers(call, connection, key) == [(429, "caller_throttled")] * 2
    assert answers(call, connection, other) == SERVED
    answer = call(*routes(connection)[0], key)
    assert 1790 <= int(answer["Retry-After"]) <= 1800
    enrolment.lift_throttle(key.split("_")[2], actor=people.STAFF)
    assert answers(call, connection, key) == SERVED


def test_a_caller_s_rate_is_one_for_all_its_keys_and_no_other_caller_s(connect, settled, call):
    connection = connect()
    second = people_key(connection)
    rights = replace(enrolment.rights_of("aalto-service"), rate_per_minute=4)
    enrolment.change_caller("aalto-service", rights, actor=people.STAFF)
    got = [call(*routes(connection)[n % 2], key).status_code for n, key in enumerate([settled.aalto_key, second] * 5)]
    # A minute may end meanwhile, and a new one begin.
    assert got.count(200) in (4, 5, 6, 7, 8)
    assert got.count(429) == 10 - got.count(200)
    assert got[:4] == [200] * 4
    assert answers(call, connection, settled.birch_key) == [(404, "connection_not_found")] * 2


class TestDecisions:
    def test_each_refusal_is_logged_once_with_who_and_why_and_nothing_secret(self, connect, settled, call, caplog):
        connection = connect()
        with caplog.at_level(logging.INFO, "broker.services.decision_log"):
            call("GET", f"/v1/connections/{connection.id}", settled.birch_key)
            call("DELETE", f"/v1/connections/{connection.id}", settled.powerless_key)
            call("GET", f"/v1/connections/{connection.id}/token", f"{settled.aalto_key[:-8]}00000000")
            call("GET", f"/v1/connections/{connection.id}/token", settled.powerless_key)
        told = [
            {name: getattr(record, name, None) for name in ("code", "caller", "key_id", "operation", "source")}
            for record in caplog.records
        ]
        birch, powerless = settled.birch_key.split("_")[2], settled.powerless_key.split("_")[2]
        whence = {"source": "127.0.0.1"}
        assert told == [
            {"code": "connection_not_found", "caller": "birch-service", "key_id": birch, "operation": None, **whence},
            {
                "code": "forbidden",
                "caller": "powerless",
                "key_id": powerless,
                "operation": "connection.manage",
                **whence,
            },
            {"code": "forbidden", "caller": "powerless", "key_id": powerless, "operation": "token.read", **whence},
        ]
        assert caplog.records[0].connection_id == connection.id
        assert settled.birch_key.split("_")[3] not in caplog.text + str([vars(each) for each in caplog.records])

    def test_a_flood_is_counted_and_not_written(self, caplog):
        now = [0.0]
        log = DecisionLog(per_second=3, clock=lambda: now[0])
        with caplog.at_level(logging.INFO, "broker.services.decision_log"):
            for _ in range(100):
                log.note("forbidden", caller="svc")
            now[0] = 1.5
            log.note("forbidden", caller="svc")
        assert [record.getMessage() for record in caplog.records] == [
            *["refused"] * 3,
            "refused: not told one by one",
            "refused",
        ]
        assert caplog.records[3].count == 97
