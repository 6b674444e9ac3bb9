"""Who may call, as operators enter it: two keys at most, networks, workloads, issuers, each change told."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection, transaction

from broker.errors import InvalidRequest, Unauthenticated
from broker.services import callers, enrolment, issuers
from broker.services.enrolment import Rights
from tenants.models import ApiKey, AuditEvent, Caller, TrustedIssuer
from tests.fakes.broker import wait_until
from tests.fakes.issuer import AUDIENCE, ISSUER, make_key
from tests.people import STAFF

JWKS = json.dumps({"keys": [make_key("ES256", "first").as_dict(private=False)]})


@pytest.fixture
def caller(transactional_db: None) -> Caller:
    rights = Rights(tenants=None, operations=["token.read"])
    return enrolment.create_caller_without_key("svc", rights, actor=STAFF)


@pytest.fixture
def cluster(caller: Caller) -> TrustedIssuer:
    return trust()


def trust(**changed: object) -> TrustedIssuer:
    terms = {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["ES256"], "jwks": JWKS, **changed}
    return issuers.trust("cluster", **terms, actor=STAFF)


def new_key(days: int = 30, **more: object) -> str:
    return enrolment.create_key("svc", expires_days=days, actor=STAFF, **more)[1]


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("id")


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


class TestKeys:
    def test_a_third_has_to_wait_for_the_end_of_one(self, caller):
        first, second = new_key(), new_key()
        with pytest.raises(InvalidRequest, match="svc has 2 API keys in use already"):
            new_key()
        enrolment.revoke_key(first.split("_")[2], actor=STAFF)
        third = new_key()
        ApiKey.objects.filter(key_id=third.split("_")[2]).update(expires_at="2020-01-01T00:00:00Z")
        new_key()
        assert callers.authenticate(callers.parse(f"Bearer {second}")).caller_name == "svc"
        for ended in (first, third):
            with pytest.raises(Unauthenticated):
                callers.authenticate(callers.parse(f"Bearer {ended}"))

    def test_whoever_makes_one_at_the_same_time_waits_and_sees_the_first(self, caller):
        new_key()

        def one_more() -> str:
            try:
                return new_key()
            except InvalidRequest as error:
                return error.code
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=1) as other:
            with transaction.atomic():
                new_key()
                made = other.submit(one_more)
                wait_until(somebody_waits, "the other to wait for this one", 1.5)
            assert made.result() == "invalid_request"
        assert callers.active_keys(caller) == 2

    def test_the_longest_life_is_a_setting(self, caller, settings):
        settings.API_KEY_MAX_DAYS = 40
        for days in (0, 41, -1):
            with pytest.raises(InvalidRequest, match="an API key lives for 1 to 40 days"):
                new_key(days)
        row, _ = enrolment.create_key("svc", expires_days=None, actor=STAFF)
        assert (row.expires_at - row.created_at).days in (39, 40)

    def test_networks_are_kept_in_one_form_and_told(self, caller):
        key_id = new_key(source_networks=["::ffff:10.0.0.0/104"]).split("_")[2]
        assert ApiKey.objects.get().networks == ["10.0.0.0/8"]
        enrolment.change_networks(key_id, ["192.0.2.1"], actor=STAFF)
        event = last_event()
        assert (event.action, event.actor) == ("caller.key_changed", "tester")
        assert event.detail == {"caller": "svc", "key_id": key_id, "networks": ["192.0.2.1/32"]}


class TestCallers:
    def test_a_change_tells_what_was_changed_and_to_what(self, caller):
        rights = replace(enrolment.rights_of("svc"), operations=["connection.read"], rate_per_minute=60, active=False)
        enrolment.change_caller("svc", rights, actor=STAFF)
        caller.refresh_from_db()
        assert (caller.operations, caller.rate_per_minute, caller.active) == (["connection.read"], 60, False)
        assert last_event().detail == {
            "caller": "svc",
            "changed": ["active", "operations", "rate_per_minute"],
            "now": {"active": False, "operations": ["connection.read"], "rate_per_minute": 60},
        }

    @pytest.mark.parametrize(
        "wrong", [{"operations": []}, {"operations": ["all"]}, {"rate_per_minute": -1}, {"connections_per_hour": 2**40}]
    )
    def test_what_is_wrong_is_refused_and_nothing_changed(self, caller, wrong):
        before = AuditEvent.objects.count()
        with pytest.raises(InvalidRequest):
            enrolment.change_caller("svc", replace(enrolment.rights_of("svc"), **wrong), actor=STAFF)
        assert (AuditEvent.objects.count(), Caller.objects.get().operations) == (before, ["token.read"])


class TestWorkloads:
    def add(self, subject: str = "system:serviceaccount:billing:invoicing") -> ApiKey:
        return enrolment.add_workload("svc", issuer="cluster", subject=subject, actor=STAFF)

    def test_a_subject_belongs_to_one_caller_until_it_is_revoked(self, cluster):
        row = self.add()
        assert (row.key_id[:3], row.caller.name, row.issuer) == ("wi:", "svc", cluster)
        with pytest.raises(InvalidRequest, match="belongs to a caller already"):
            self.add()
        enrolment.revoke_key(row.key_id, actor=STAFF)
        again = self.add()
        assert (again.pk, again.revoked_at) == (row.pk, None)
        assert last_event().detail["subject"] == row.subject

    def test_it_counts_as_none_of_the_two_keys(self, cluster):
        self.add("a"), self.add("b"), self.add("c")
        new_key(), new_key()
        with pytest.raises(InvalidRequest, match="2 API keys"):
            new_key()

    @pytest.mark.parametrize("subject", ["", "s" * 301, "a\nb", "a\x00b"])
    def test_what_no_token_says_is_refused(self, cluster, subject):
        with pytest.raises(InvalidRequest, match="1 to 300 printable"):
            self.add(subject)

    def test_no_key_can_be_made_up_that_is_one(self, cluster):
        row = self.add()
        with pytest.raises(Unauthenticated):
            callers.parse(f"Bearer brk_test_{row.key_id}_{'0' * 43}_00000000")


class TestIssuers:
    def test_a_second_time_changes_the_terms(self, cluster):
        changed = trust(audience="another", jwks="", jwks_uri="https://issuer.example/keys", max_life_seconds=900)
        assert (changed.pk, changed.audience, changed.jwks) == (cluster.pk, "another", None)
        event = last_event()
        assert (event.action, event.detail["now"]["jwks_uri"]) == ("issuer.changed", "https://issuer.example/keys")
        issuers.distrust("cluster", actor=STAFF)
        assert not TrustedIssuer.objects.get().active
        with pytest.raises(InvalidRequest):
            issuers.distrust("cluster", actor=STAFF)
        assert trust().active

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"algorithms": ["HS256"]}, "algorithms must be among RS256"),
            ({"algorithms": ["none"]}, "algorithms must be among"),
            ({"algorithms": ["ES256", "HS512"]}, "algorithms must be among"),
            ({"algorithms": []}, "algorithms"),
            ({"issuer": ""}, "issuer"),
            ({"issuer": "https://issuer.example/a b"}, "issuer is printed"),
            ({"audience": ""}, "audience"),
            ({"max_life_seconds": 59}, "max_life_seconds is from 60 to 86400"),
            ({"max_life_seconds": 86_401}, "max_life_seconds"),
            ({"jwks_uri": "https://issuer.example/keys"}, "either the address"),
            ({"jwks": ""}, "either the address"),
            ({"jwks": "", "jwks_uri": "http://issuer.example/keys"}, "jwks_uri is a plain https address"),
            ({"jwks": "", "jwks_uri": "https://me:you@issuer.example/keys"}, "jwks_uri is a plain https address"),
            ({"jwks": "", "jwks_uri": "file:///etc/passwd"}, "jwks_uri is a plain https address"),
            ({"jwks": "{"}, "jwks is not JSON"),
            ({"jwks": "[" * 60_000}, "jwks is not JSON"),
            ({"jwks": "[]"}, "jwks: not a JWK set"),
            ({"jwks": '{"keys": []}'}, "jwks holds no public"),
            ({"jwks": json.dumps({"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]})}, "jwks holds no public"),
        ],
    )
    def test_terms_that_let_in_too_much_or_nothing(self, caller, wrong, says):
        before = AuditEvent.objects.count()
        with pytest.raises(InvalidRequest, match=says):
            trust(**wrong)
        assert (TrustedIssuer.objects.count(), AuditEvent.objects.count()) == (0, before)
