"""Reports on systems without refresh tokens: signed requests, static keys, tokens made from what was entered."""

import json

import pytest

from broker.errors import InvalidRequest, InvalidScope, OperationUnsupported
from broker.services import counts, feedback, minting, renew
from broker.services.feedback import Report
from broker.services.renewal_attempt import Outcome
from tenants import audit
from tenants.models import AuditEvent, Connection, Credential, MintedToken, OutboxEvent, RenewalSlot
from tests.broker.services import typed_in
from tests.broker.services.renewing import in_threads
from tests.broker.services.typed_in import COMPANY, CUSTOMER, FILLED_IN, MAVENTA_KEY, VENDOR_KEY

CALLER = audit.caller("invoicing")
SAID_BY_NETVISOR = (
    '<?xml version="1.0" encoding="utf-8"?><Root><ResponseStatus><Status>FAILED</Status>'
    "<Status>{code} :: {text}</Status><TimeStamp>21.11.2026 12:00:00</TimeStamp></ResponseStatus></Root>"
)
REFUSED = SAID_BY_NETVISOR.format(code="AUTHENTICATION_FAILED", text="Authentication failed")
UNAUTHORIZED = '{"code": "unauthorized", "message": "Unauthorized"}'
DENIED = '{"code": "access_denied", "message": "Access denied"}'

ERROR_ID = "2f1c7f4e-aaaa-4bbb-8ccc-0123456789ab"


@pytest.fixture
def netvisor(settled, local_provider):
    typed_in.netvisor(local_provider)
    return typed_in.enter(settled.aalto, "netvisor", FILLED_IN)


@pytest.fixture
def maventa(settled, local_provider):
    typed_in.maventa(local_provider)
    yield typed_in.enter(settled.aalto, "maventa", {"company_uuid": COMPANY, "user_api_key": MAVENTA_KEY})
    counts.reads.flush()


def report(connection, *, status=401, version=None, **more):
    version = Credential.objects.get(pk=connection.pk).version if version is None else version
    fresh = Connection.objects.select_related("tenant", "registration").get(pk=connection.pk)
    return feedback.report(fresh, Report(status=status, version=version, **more), actor=CALLER)


def asked(sandbox, endpoint):
    return len(sandbox.log(endpoint=endpoint))


def state(connection):
    connection.refresh_from_db()
    return connection.state, connection.reason


class TestWhereNothingCanBeRenewed:
    def test_renewing_it_is_no_fault_of_anybody(self, netvisor):
        assert renew.renew_now(netvisor.id) is Outcome.UNSUPPORTED
        RenewalSlot.objects.filter(pk=netvisor.pk).update(state="scheduled")
        assert renew.renew_now(netvisor.id) is Outcome.UNSUPPORTED
        assert state(netvisor) == ("connected", "")
        slot = RenewalSlot.objects.get(pk=netvisor.pk)
        assert (slot.attempts, slot.lease_until) == (0, None)

    def test_a_key_that_still_works_is_not_the_problem(self, netvisor, local_provider):
        sent = asked(local_provider, "netvisor")
        verdict = report(netvisor, body=REFUSED)
        assert (verdict.verdict, verdict.action) == ("not_a_token_problem", "look_at_the_request")
        assert state(netvisor) == ("connected", "")
        assert asked(local_provider, "netvisor") == sent + 1
        report(netvisor, body=REFUSED)
        assert asked(local_provider, "netvisor") == sent + 1, "once a minute for one version"

    def test_a_key_that_was_replaced_is_dead_and_the_customer_gets_a_link(self, netvisor, local_provider):
        local_provider.system("netvisor").change("customers", CUSTOMER, key="z" * 32)
        verdict = report(netvisor, body=REFUSED)
        assert (verdict.verdict, verdict.state, verdict.reason) == (
            "confirmed_dead",
            "reauthorization_required",
            "grant_revoked",
        )
        assert verdict.connect_url
        assert verdict.explanation
        assert OutboxEvent.objects.filter(type="connection.reauthorization_required").count() == 1

    @pytest.mark.parametrize(("key", "expected"), [("z" * 32, "confirmed_dead"), (None, "not_a_token_problem")])
    def test_a_storm_of_reports_is_one_question_and_one_answer(self, netvisor, local_provider, key, expected):
        if key:
            local_provider.system("netvisor").change("customers", CUSTOMER, key=key)
        local_provider.set_latency(netvisor=0.3)
        sent = asked(local_provider, "netvisor")
        version = Credential.objects.get(pk=netvisor.pk).version
        verdicts = in_threads(12, lambda: report(netvisor, version=version, body=REFUSED).verdict)
        assert set(verdicts) == {expected}
        assert asked(local_provider, "netvisor") == sent + 1
        assert AuditEvent.objects.filter(action="feedback.reported").count() == 1

    def test_a_provider_that_does_not_answer_decides_nothing(self, netvisor, local_provider):
        local_provider.fault("netvisor", "status", status=503, times=3)
        assert report(netvisor, body=REFUSED).verdict == "provider_unavailable"
        assert report(netvisor, body=REFUSED).verdict == "provider_unavailable"
        assert state(netvisor) == ("connected", "")

    @pytest.mark.parametrize(
        ("status", "body", "verdict"),
        [
            (
                200,
                SAID_BY_NETVISOR.format(code="REQUEST_NOT_UNIQUE", text="Request not unique"),
                "provider_unavailable",
            ),
            (200, SAID_BY_NETVISOR.format(code="SYSTEM_MAINTENANCE", text="Maintenance"), "provider_unavailable"),
            (503, "", "provider_unavailable"),
            (200, SAID_BY_NETVISOR.format(code="SERVICE_ACCESS_ERROR", text="No access"), "right_missing"),
            (200, "<Root><ResponseStatus><Status>OK</Status></ResponseStatus></Root>", "not_a_token_problem"),
        ],
    )
    def test_other_answers_send_nothing(self, netvisor, local_provider, status, body, verdict):
        sent = asked(local_provider, "netvisor")
        assert report(netvisor, status=status, body=body).verdict == verdict
        assert asked(local_provider, "netvisor") == sent
        assert state(netvisor) == ("connected", "")

    def test_somebody_who_connected_again_meanwhile_is_not_buried(self, netvisor, settled, local_provider):
        version = Credential.objects.get(pk=netvisor.pk).version
        typed_in.enter(settled.aalto, "netvisor", FILLED_IN, repair=netvisor)
        assert report(netvisor, version=version, body=REFUSED).verdict == "stale_version"
        assert state(netvisor) == ("connected", "")


class TestTokensMadeFromWhatWasEntered:
    def test_one_fresh_try_and_no_second(self, maventa, local_provider):
        sent = asked(local_provider, "maventa.token")
        first = report(maventa, body=DENIED)
        assert first.verdict == "renewed"
        assert report(maventa, version=first.version, body=DENIED).verdict == "not_a_token_problem"
        assert asked(local_provider, "maventa.token") == sent + 1
        assert state(maventa) == ("connected", "")

    def test_a_deleted_key_is_dead(self, maventa, local_provider):
        local_provider.system("maventa").change("companies", COMPANY, keys={"x" * 32: None})
        assert report(maventa, body=DENIED).verdict == "confirmed_dead"
        assert state(maventa) == ("reauthorization_required", "grant_revoked")

    def test_an_unverified_company_is_not_a_token_problem_and_heals(self, maventa, local_provider):
        sent = asked(local_provider, "maventa.token")
        verdict = report(maventa, body=UNAUTHORIZED)
        assert (verdict.verdict, verdict.action) == ("account_unverified", "send_customer_to_provider")
        assert (verdict.state, verdict.reason) == ("degraded", "account_unverified")
        assert verdict.explanation
        assert asked(local_provider, "maventa.token") == sent
        assert report(maventa, status=200, body="{}").verdict == "not_a_token_problem"
        assert state(maventa) == ("connected", "")
        assert OutboxEvent.objects.filter(type="connection.recovered").count() == 1

    def test_a_renewal_looks_whether_the_company_is_verified_by_now(self, maventa, local_provider):
        system = local_provider.system("maventa")
        system.change("companies", COMPANY, verified=False)
        report(maventa, body=UNAUTHORIZED)
        assert renew.renew_now(maventa.id) is Outcome.RENEWED
        assert state(maventa) == ("degraded", "account_unverified"), "a token says nothing of the account behind it"
        system.change("companies", COMPANY, verified=True)
        assert renew.renew_now(maventa.id) is Outcome.RENEWED
        assert state(maventa) == ("connected", "")

    def test_a_right_that_is_missing_keeps_the_key_and_heals_by_itself(self, maventa, local_provider):
        system = local_provider.system("maventa")
        system.change("companies", COMPANY, locked=True)
        assert renew.renew_now(maventa.id) is Outcome.RIGHT_MISSING
        assert renew.renew_now(maventa.id) is Outcome.RIGHT_MISSING
        assert state(maventa) == ("degraded", "right_missing")
        system.change("companies", COMPANY, locked=False)
        assert renew.renew_now(maventa.id) is Outcome.RENEWED
        assert state(maventa) == ("connected", "")

    def test_a_refused_vendor_key_is_an_incident(self, maventa, local_provider):
        local_provider.system("maventa").change("vendors", VENDOR_KEY, enabled=False)
        assert report(maventa, body=DENIED).verdict == "provider_unavailable"
        maventa.registration.refresh_from_db()
        assert maventa.registration.incident_since is not None
        assert state(maventa) == ("connected", "")


class TestScopes:
    SCOPES = ("validate",)

    def minted(self, connection) -> int:
        minting.mint_now(connection.id, self.SCOPES, version=0)
        return MintedToken.objects.get().version

    def test_one_fresh_token_for_them_and_no_second(self, maventa, local_provider):
        version = self.minted(maventa)
        sent = asked(local_provider, "maventa.token")
        first = report(maventa, version=version, scopes=self.SCOPES, body=DENIED)
        assert first.verdict == "renewed"
        assert first.version == MintedToken.objects.get().version > version
        assert report(maventa, version=version, scopes=self.SCOPES, body=DENIED).verdict == "stale_version"
        again = report(maventa, version=first.version, scopes=self.SCOPES, body=DENIED)
        assert again.verdict == "not_a_token_problem"
        assert asked(local_provider, "maventa.token") == sent + 1

    def test_a_deleted_key_is_dead(self, maventa, local_provider):
        version = self.minted(maventa)
        local_provider.system("maventa").change("companies", COMPANY, keys={"x" * 32: None})
        assert report(maventa, version=version, scopes=self.SCOPES, body=DENIED).verdict == "confirmed_dead"
        assert state(maventa) == ("reauthorization_required", "grant_revoked")

    def test_the_registrations_own_scopes_are_the_connections_token(self, maventa):
        own = tuple(Connection.objects.get(pk=maventa.pk).scopes_asked)
        assert report(maventa, scopes=own, body=DENIED).verdict == "renewed"
        assert not MintedToken.objects.exists()

    def test_scopes_that_no_token_was_made_for(self, maventa):
        assert report(maventa, version=1, scopes=self.SCOPES, body=DENIED).verdict == "not_a_token_problem"
        with pytest.raises(InvalidScope):
            report(maventa, scopes=("everything",))
        with pytest.raises(InvalidRequest):
            report(maventa, version=self.minted(maventa) + 1, scopes=self.SCOPES)

    def test_a_provider_without_such_tokens(self, netvisor):
        with pytest.raises(OperationUnsupported):
            report(netvisor, scopes=("anything",))


class TestWhatIsKept:
    def test_the_providers_reference_and_code_are_on_the_timeline_once_a_minute(self, connect):
        connection = connect()
        body = json.dumps({"ErrorCode": 4010, "DeveloperErrorMessage": "Slow down", "ErrorId": ERROR_ID})
        for _ in range(3):
            verdict = report(connection, status=429, body=body, headers={"Retry-After": "17"})
        assert (verdict.verdict, verdict.retry_after) == ("provider_unavailable", 17)
        assert verdict.error_id == ERROR_ID
        event = AuditEvent.objects.get(action="feedback.reported")
        assert (event.detail["error"], event.detail["status"]) == ("4010", 429)
        assert event.detail["error_id"] == verdict.error_id
        report(connection, status=404, body="{}")
        assert AuditEvent.objects.filter(action="feedback.reported").count() == 2
