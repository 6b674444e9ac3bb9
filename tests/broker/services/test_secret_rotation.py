"""A client secret is replaced: one renewal tries the new one first, and nothing of it touches a connection."""

import pytest

from broker.errors import InvalidRequest
from broker.services import credentials, renew, secret_rotation, trying
from broker.services.renewal_attempt import Outcome
from providers.messages import Secret
from tenants.models import AuditEvent, ClientRegistration, OutboxEvent, RegistrationGate, RenewalSlot
from tests import people
from tests.broker.services import many
from tests.fakes.sandbox import CLIENT_SECRET

OLD, NEW = CLIENT_SECRET, "the next secret"


@pytest.fixture
def aalto(settled, local_provider):
    """Ten customers of Aalto who are due."""
    many.customers(settled.aalto, settled.registration, local_provider, 10)
    return settled.registration


def replace(registration, secret=NEW, **more):
    secret_rotation.replace(registration, Secret(secret), actor=people.STAFF, **more)


def stored(registration):
    row = ClientRegistration.objects.select_related("data_key").get(pk=registration.pk)
    return [secret.reveal() for secret in credentials.registration_value(row).client_secrets]


def preferred(registration):
    return RegistrationGate.objects.get(pk=registration.pk).preferred_secret


def audited(action):
    return AuditEvent.objects.filter(action=action).count()


def requests(sandbox):
    return len(sandbox.log(endpoint="token"))


class TestInPlaceOfTheOld:
    def test_one_goes_first_and_the_others_follow_when_it_is_accepted(self, aalto, local_provider):
        replace(aalto)
        local_provider.update_client(client_secret=NEW)
        assert stored(aalto) == [NEW]
        assert many.gate_of(aalto) == ("half_open", "canary")
        assert [len(many.step()) for _ in range(4)] == [1, 2, 4, 3]

    def test_a_wrong_one_costs_one_request_and_is_an_incident(self, aalto, local_provider):
        sent = requests(local_provider)
        replace(aalto)
        assert many.step() == [Outcome.CLIENT_REJECTED]
        assert many.step() == []
        assert requests(local_provider) == sent + 1
        assert many.gate_of(aalto) == ("open", "incident")
        assert many.states() == {("connected", "")}

    def test_the_first_try_is_at_once_even_when_nothing_is_due(self, aalto, local_provider):
        RenewalSlot.objects.update(due_at="2100-01-01T00:00:00Z")
        local_provider.update_client(client_secret=NEW)
        replace(aalto)
        assert many.step() == [Outcome.RENEWED]

    def test_a_new_secret_has_to_earn_trust_before_anybody_is_blamed(self, aalto, local_provider):
        local_provider.fault("token", "error", error="invalid_grant", times=100)
        local_provider.update_client(client_secret=NEW)
        replace(aalto)
        for _ in range(10):
            many.step()
            many.passed(aalto, 61)
        assert many.states() == {("connected", "")}
        assert RenewalSlot.objects.exclude(suspect_version=None).count() <= 10


class TestBesideTheOld:
    def test_while_the_provider_does_not_know_it_renewals_go_on_with_the_old_one(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        assert stored(aalto) == [NEW, OLD]
        renewed = [many.step() for _ in range(4)]
        assert [len(each) for each in renewed] == [1, 2, 4, 3]
        assert {outcome for each in renewed for outcome in each} == {Outcome.RENEWED}
        assert preferred(aalto) == 1
        assert audited("registration.new_secret_refused") == 1
        assert OutboxEvent.objects.count() == 0, "nobody else has to know"
        assert many.states() == {("connected", "")}

    def test_the_refused_one_is_not_sent_again_with_each_renewal(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        sent = requests(local_provider)
        for _ in range(4):
            many.step()
        assert requests(local_provider) == sent + 10 + 1

    def test_once_the_old_one_has_ended_the_new_one_is_used_without_any_incident(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        many.step()
        local_provider.update_client(client_secret=NEW)
        assert many.step() == [Outcome.RENEWED, Outcome.RENEWED]
        assert preferred(aalto) == 0
        assert audited("registration.new_secret_accepted") == 1
        assert not ClientRegistration.objects.exclude(incident_since=None).exists()

    def test_a_second_is_tried_only_after_our_client_was_refused(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        local_provider.update_client(client_secret=NEW)
        one = RenewalSlot.objects.first()
        for fault in ({"kind": "error", "error": "invalid_grant"}, {"kind": "status", "status": 503}):
            sent = requests(local_provider)
            local_provider.fault("token", **fault)
            renew.renew_now(one.pk)
            assert requests(local_provider) == sent + 1

    def test_both_refused_is_an_incident(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        local_provider.update_client(client_secret="neither")
        assert many.step() == [Outcome.CLIENT_REJECTED]
        assert many.gate_of(aalto) == ("open", "incident")

    def test_staff_may_have_the_refused_one_tried_again(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        many.step()
        RegistrationGate.objects.update(state="closed", cause="")
        assert trying.try_now(aalto, actor=people.STAFF) is trying.Tried.RENEWING
        assert (preferred(aalto), many.gate_of(aalto)) == (0, ("half_open", "canary"))

    def test_two_are_kept_at_most_and_the_one_that_works_is_among_them(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        many.step()
        replace(aalto, "a third one", keep_old=True)
        assert stored(aalto) == ["a third one", OLD]

    def test_the_same_again_is_refused(self, aalto):
        replace(aalto, keep_old=True)
        with pytest.raises(InvalidRequest):
            replace(aalto, keep_old=True)
        assert stored(aalto) == [NEW, OLD]


class TestDroppingTheOld:
    def test_waits_until_the_provider_has_accepted_the_new_one(self, aalto, local_provider):
        replace(aalto, keep_old=True)
        with pytest.raises(InvalidRequest, match="not accepted"):
            secret_rotation.drop_old(aalto, actor=people.STAFF)
        many.step()
        with pytest.raises(InvalidRequest, match="not accepted"):
            secret_rotation.drop_old(aalto, actor=people.STAFF)
        local_provider.update_client(client_secret=NEW)
        many.step()
        secret_rotation.drop_old(aalto, actor=people.STAFF)
        assert stored(aalto) == [NEW]
        assert audited("registration.old_secret_dropped") == 1
        with pytest.raises(InvalidRequest, match="no old"):
            secret_rotation.drop_old(aalto, actor=people.STAFF)


class TestTheCommand:
    def test_keeps_and_drops(self, aalto, local_provider, manage, tmp_path):
        file = tmp_path / "secret"
        file.write_text(NEW)
        said = manage("replace_secret", "--json", aalto.redirect_key, "--client-secret-file", str(file), "--keep-old")
        assert (said.json["replaced"], said.json["kept_old"]) == (True, True)
        local_provider.update_client(client_secret=NEW)
        many.step()
        assert manage("replace_secret", "--json", aalto.redirect_key, "--drop-old").json["dropped"]
        assert stored(aalto) == [NEW]

    @pytest.mark.parametrize("given", [[], ["--keep-old", "--drop-old"], ["--client-secret-file", "x", "--drop-old"]])
    def test_refuses_what_makes_no_sense(self, aalto, manage, given):
        assert "--client-secret-file" in manage("replace_secret", aalto.redirect_key, *given).sentence
