"""GET .../token?scope=: a token for exactly these scopes, one for each set of them."""

import time

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from broker.services import counts, gates, minting, renew, sweep
from broker.services.gate_counts import counter
from broker.services.renewal_attempt import Outcome
from tenants.models import (
    ClientRegistration,
    Connection,
    Credential,
    MintedToken,
    RegistrationGate,
    RenewalSlot,
)
from tests.broker.services import typed_in
from tests.broker.services.renewing import in_threads
from tests.broker.services.typed_in import COMPANY, MAVENTA_KEY, VENDOR_KEY

TYPED = {"company_uuid": COMPANY, "user_api_key": MAVENTA_KEY}
OWN = "company:read+lookup+invoice:send+invoice:receive+document:send+document:receive"


@pytest.fixture
def maventa(settled, local_provider):
    typed_in.maventa(local_provider)
    yield typed_in.enter(settled.aalto, "maventa", TYPED)
    counts.reads.flush()


@pytest.fixture
def get(call, settled):
    def ask(connection, scope, **query):
        more = "".join(f"&{name}={value}" for name, value in query.items())
        return call("GET", f"/v1/connections/{connection.id}/token?scope={scope}{more}", settled.aalto_key)

    return ask


def minted_by(sandbox) -> int:
    return len(sandbox.log(endpoint="maventa.token"))


def row() -> MintedToken:
    return MintedToken.objects.get()


def move_back(**columns: int) -> None:
    """Let these instants of every row be so many seconds earlier."""
    changes = ", ".join(f"{name} = {name} - interval '{seconds} seconds'" for name, seconds in columns.items())
    with database.cursor() as cursor:
        cursor.execute(f"UPDATE tenants_mintedtoken SET {changes}")


class TestHandingOut:
    def test_the_token_is_for_these_scopes_and_no_others(self, maventa, get, local_provider):
        answer = get(maventa, "validate+analysis")
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert set(body["scope"].split()) == {"validate", "analysis"}
        assert body["headers"] == {"Authorization": f"Bearer {body['access_token']}"}
        assert body["base_url"].startswith(local_provider.url)
        assert body["degraded"] is None

    def test_the_second_time_it_costs_one_query_and_no_request(self, maventa, get, local_provider):
        first = get(maventa, "validate").json()
        sent = minted_by(local_provider)
        with CaptureQueriesContext(database) as queries:
            second = get(maventa, "validate")
        assert second.json() == first
        assert len(queries) == 1, [query["sql"] for query in queries]
        assert minted_by(local_provider) == sent

    def test_the_order_of_the_scopes_and_a_repetition_do_not_matter(self, maventa, get, local_provider):
        first = get(maventa, "validate+analysis").json()
        sent = minted_by(local_provider)
        assert get(maventa, "analysis+validate+analysis").json()["access_token"] == first["access_token"]
        assert minted_by(local_provider) == sent

    def test_each_set_has_a_token_of_its_own(self, maventa, get):
        tokens = {get(maventa, scope).json()["access_token"] for scope in ("validate", "analysis", "validate+analysis")}
        assert len(tokens) == 3
        assert MintedToken.objects.count() == 3

    def test_the_registrations_own_scopes_are_the_connections_credential(self, maventa, get, call, settled):
        plain = call("GET", f"/v1/connections/{maventa.id}/token", settled.aalto_key).json()
        with CaptureQueriesContext(database) as queries:
            assert get(maventa, OWN).json() == plain
        assert len(queries) == 1
        assert not MintedToken.objects.exists()

    def test_by_tenant_and_provider_it_is_the_same_token(self, maventa, get, call, settled):
        first = get(maventa, "validate").json()
        path = "/v1/tenants/aalto/providers/maventa/token?scope=validate&min_ttl=60"
        assert call("GET", path, settled.aalto_key).json() == first

    def test_thirty_two_callers_make_one_request(self, maventa, get, local_provider):
        sent = minted_by(local_provider)
        local_provider.set_latency(**{"maventa.token": 0.3})
        answers = in_threads(32, lambda: get(maventa, "validate").json())
        assert len({answer["access_token"] for answer in answers}) == 1
        assert minted_by(local_provider) == sent + 1

    def test_a_token_that_ends_before_min_ttl_is_made_anew_under_a_higher_version(self, maventa, get):
        first = get(maventa, "validate").json()
        move_back(expires_at=3000, issued_at=3000)
        after = get(maventa, "validate", min_ttl=800).json()
        assert after["access_token"] != first["access_token"]
        assert after["version"] > first["version"]

    def test_it_is_gone_when_the_customer_replaces_the_key(self, maventa, get, settled):
        first = get(maventa, "validate").json()
        typed_in.enter(settled.aalto, "maventa", TYPED, repair=maventa)
        assert get(maventa, "validate").json()["access_token"] != first["access_token"]


class TestRefusals:
    def test_an_unknown_scope_is_named_with_those_there_are(self, maventa, get, local_provider):
        sent = minted_by(local_provider)
        answer = get(maventa, "validate+everything")
        body = answer.json()
        assert (answer.status_code, body["code"], body["scope"]) == (422, "invalid_scope", "everything")
        assert "everything" in body["detail"]
        assert "invoice:send" in body["supported"]
        assert minted_by(local_provider) == sent

    @pytest.mark.parametrize("scope", ["", "+validate", "validate++analysis", "a%22b", "a%0Ab", "a" * 201, "%C3%A4"])
    def test_what_is_not_a_list_of_scopes_is_refused(self, maventa, get, scope):
        answer = get(maventa, scope)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    def test_a_provider_whose_tokens_have_the_scopes_they_have_says_so(self, connect, get):
        answer = get(connect(), "ea:api")
        assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_operation")
        assert "hands_out_tokens" in answer.json()["supported"]

    def test_there_are_only_so_many_sets(self, maventa, get, monkeypatch):
        monkeypatch.setattr(minting, "MOST_SETS", 2)
        assert get(maventa, "validate").status_code == get(maventa, "analysis").status_code == 200
        answer = get(maventa, "lookup")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_scope")
        assert get(maventa, "analysis").status_code == 200
        move_back(expires_at=7200, issued_at=7200, used_at=9000)
        assert get(maventa, "lookup").status_code == 200, "what has ended and nobody asks for makes room"

    def test_strangers_learn_nothing(self, maventa, call, settled):
        path = f"/v1/connections/{maventa.id}/token?scope=validate"
        assert call("GET", path, settled.birch_key).status_code == 404
        assert call("GET", path, settled.powerless_key).status_code == 403

    def test_a_min_ttl_longer_than_the_tokens_live_is_refused(self, maventa, get, local_provider):
        local_provider.system("maventa").change("companies", COMPANY, token_seconds=120)
        get(maventa, "validate")
        answer = get(maventa, "validate", min_ttl=300)
        assert (answer.status_code, answer.json()["code"]) == (422, "min_ttl_unattainable")


class TestFailures:
    def test_a_refused_key_is_looked_at_once_more_before_the_customer_is_asked(self, maventa, get, local_provider):
        local_provider.system("maventa").change("companies", COMPANY, keys={"x" * 32: None})
        answer = get(maventa, "validate")
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
        maventa.refresh_from_db()
        assert maventa.state == "connected"
        assert RenewalSlot.objects.get(pk=maventa.pk).suspect_version == Credential.objects.get(pk=maventa.pk).version
        assert renew.renew_now(maventa.id) is Outcome.DEAD
        answer = get(maventa, "validate")
        assert (answer.status_code, answer.json()["code"]) == (409, "reauthorization_required")
        assert answer.json()["connect_url"]

    def test_a_storm_on_a_refused_key_is_one_request(self, maventa, get, local_provider):
        local_provider.system("maventa").change("companies", COMPANY, keys={"x" * 32: None})
        sent = minted_by(local_provider)
        for _ in range(5):
            assert get(maventa, "validate").status_code == 503
        assert minted_by(local_provider) == sent + 1

    def test_a_refused_vendor_key_is_an_incident_and_blames_nobody(self, maventa, get, local_provider):
        local_provider.system("maventa").change("vendors", VENDOR_KEY, enabled=False)
        answer = get(maventa, "validate")
        assert (answer.status_code, answer.json()["code"]) == (502, "registration_rejected")
        maventa.refresh_from_db()
        assert (maventa.state, maventa.reason) == ("connected", "")
        assert ClientRegistration.objects.get(pk=maventa.registration_id).incident_since is not None

    def test_a_provider_that_is_down_is_not_asked_again_at_once(self, maventa, get, local_provider):
        local_provider.fault("maventa.token", "status", status=503, times=9)
        sent = minted_by(local_provider)
        answers = [get(maventa, "validate") for _ in range(3)]
        assert {answer.json()["code"] for answer in answers} == {"provider_unavailable"}
        assert int(answers[-1]["Retry-After"]) >= 1
        assert minted_by(local_provider) <= sent + 2

    def test_a_token_that_still_works_is_given_while_the_provider_is_down(self, maventa, get, local_provider):
        first = get(maventa, "validate").json()
        move_back(expires_at=3570, issued_at=3570)
        local_provider.fault("maventa.token", "status", status=503, times=9)
        assert get(maventa, "validate").json()["access_token"] == first["access_token"]
        assert get(maventa, "validate", min_ttl=60).json()["code"] == "provider_unavailable"

    def test_a_tampered_token_is_a_storage_fault(self, maventa, get):
        get(maventa, "validate")
        sealed = bytearray(row().sealed)
        sealed[-1] ^= 1
        MintedToken.objects.update(sealed=bytes(sealed))
        assert get(maventa, "validate").json()["code"] == "storage_fault"


class TestOffThePath:
    def test_what_is_asked_for_is_renewed_early(self, maventa, get, local_provider):
        first = get(maventa, "validate").json()
        get(maventa, "validate")
        counts.reads.flush()
        move_back(due_at=3600)
        assert sweep.mint_due(limit=10) == 1
        assert get(maventa, "validate").json()["version"] > first["version"]
        assert sweep.mint_due(limit=10) == 0

    def test_what_nobody_asks_for_ends_and_goes(self, maventa, get, local_provider):
        get(maventa, "validate")
        counts.reads.flush()
        move_back(due_at=3600)
        sent = minted_by(local_provider)
        assert sweep.mint_due(limit=10) == 0
        assert minted_by(local_provider) == sent
        sweep.purge_ended()
        assert MintedToken.objects.exists()
        move_back(expires_at=7200)
        sweep.purge_ended()
        assert not MintedToken.objects.exists()

    def test_nothing_is_made_for_a_connection_that_is_not_served(self, maventa, get, local_provider):
        get(maventa, "validate")
        get(maventa, "validate")
        counts.reads.flush()
        move_back(due_at=3600)
        Connection.objects.filter(pk=maventa.pk).update(state="suspended")
        sent = minted_by(local_provider)
        assert sweep.mint_due(limit=10) == 0
        assert minted_by(local_provider) == sent


class TestTheRegistrationsGate:
    @pytest.mark.parametrize(
        ("cause", "code"),
        [
            ("throttled", "provider_unavailable"),
            ("doubts", "provider_unavailable"),
            ("incident", "registration_rejected"),
        ],
    )
    def test_nothing_is_asked_while_it_is_open(self, maventa, get, local_provider, cause, code):
        gates.throttle(maventa.registration_id, 30)
        RegistrationGate.objects.update(cause=cause)
        sent = minted_by(local_provider)
        answer = get(maventa, "validate")
        assert answer.json()["code"] == code
        assert int(answer["Retry-After"]) >= 1
        assert minted_by(local_provider) == sent

    def test_a_limit_of_the_application_s_opens_it_for_all(self, maventa, get, local_provider):
        local_provider.fault("maventa.token", "status", status=429, retry_after=30)
        assert get(maventa, "validate").json()["code"] == "provider_unavailable"
        gate = RegistrationGate.objects.get(pk=maventa.registration_id)
        assert (gate.state, gate.cause) == ("open", "throttled")
        sent = minted_by(local_provider)
        assert get(maventa, "analysis").json()["code"] == "provider_unavailable"
        assert minted_by(local_provider) == sent

    @pytest.mark.parametrize(("status", "failed"), [(503, 1), (401, 0)])
    def test_it_is_told_whether_the_provider_answers(self, maventa, get, local_provider, monkeypatch, status, failed):
        monkeypatch.setattr(gates._flushed, "at", time.monotonic() + 60)
        counter.take_one(maventa.registration_id)
        if status == 503:
            local_provider.fault("maventa.token", "status", status=503)
        else:
            local_provider.system("maventa").change("companies", COMPANY, keys={"x" * 32: None})
        get(maventa, "validate")
        told = counter.take_one(maventa.registration_id)
        assert (told.sent, told.failed, told.on_demand) == (1, failed, 1)
