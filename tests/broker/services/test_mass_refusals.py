"""A provider that refuses many customers at once is mistaken, or was asked by the wrong client: nobody is blamed."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from broker.driver import Driver
from broker.services import gate_limits, renew
from broker.services.renewal_attempt import Outcome
from tenants.models import AuditEvent, ClientRegistration, Credential, OutboxEvent, RenewalSlot
from tests.broker.services import many


@pytest.fixture
def aalto(settled, local_provider):
    """Sixty customers of Aalto who are due."""
    many.customers(settled.aalto, settled.registration, local_provider, 60)
    return settled.registration


def suspects():
    return RenewalSlot.objects.exclude(suspect_version=None).count()


def refuse_all(sandbox):
    sandbox.fault("token", "error", error="invalid_grant", times=1000)


def events(kind):
    return OutboxEvent.objects.filter(type=kind).count()


def test_of_many_at_most_twenty_are_suspected_and_nobody_is_asked_to_connect_again(aalto, local_provider):
    refuse_all(local_provider)
    many.step()
    for _ in range(30):
        many.passed(aalto, 20)
        many.step()
    assert suspects() <= 20
    assert many.states() == {("connected", "")}
    assert events("connection.reauthorization_required") == 0
    assert many.gate_of(aalto)[1] == "doubts"


def test_it_is_one_incident_which_staff_see_and_nobody_is_mailed_for(aalto, local_provider):
    refuse_all(local_provider)
    for _ in range(8):
        many.step()
        many.passed(aalto, 61)
    assert events("registration.incident") == 1
    assert AuditEvent.objects.filter(action="registration.incident").count() == 1
    assert set(OutboxEvent.objects.values_list("type", flat=True)) == {"registration.incident"}
    aalto.refresh_from_db()
    assert aalto.incident == "mass_refusals"


def test_while_it_lasts_one_is_asked_a_minute(aalto, local_provider):
    refuse_all(local_provider)
    many.step()
    assert many.gate_of(aalto) == ("open", "doubts")
    asked = []
    for _ in range(6):
        many.passed(aalto, 30)
        asked.append(len(many.step()))
    assert asked == [0, 1, 0, 1, 0, 1]


def test_too_few_to_be_noticed_are_not_ended_at_the_second_look_either(settled, local_provider):
    many.customers(settled.aalto, settled.registration, local_provider, 15)
    refuse_all(local_provider)
    many.step()
    assert suspects() == 15
    for _ in range(3):
        many.passed(settled.registration, 61)
        many.step()
    assert many.states() == {("connected", "")}


def test_when_the_provider_has_come_to_its_senses_all_are_renewed_and_the_incident_is_over(aalto, local_provider):
    refuse_all(local_provider)
    many.step()
    local_provider.control("DELETE", "faults")
    renewed = []
    for _ in range(40):
        many.passed(aalto, 61)
        renewed.append(many.step().count(Outcome.RENEWED))
        if sum(renewed) == 60:
            break
    assert renewed[:4] == [1, 2, 4, 8]
    assert sum(renewed) == 60
    assert many.states() == {("connected", "")}
    assert suspects() == 0


def test_a_customer_who_alone_is_refused_is_still_asked_to_connect_again(aalto, local_provider):
    many.step()
    one = RenewalSlot.objects.first()
    local_provider.fault("token", "error", error="invalid_grant", times=2)
    assert renew.renew_now(one.pk) is Outcome.SUSPECT
    assert renew.renew_now(one.pk) is Outcome.DEAD
    assert events("connection.reauthorization_required") == 1
    assert many.gate_of(aalto) == ("closed", "")


class TestAWrongClientSecret:
    def test_changes_no_connection_and_is_one_incident(self, aalto, local_provider):
        before = set(RenewalSlot.objects.values_list("pk", "state"))
        local_provider.update_client(client_secret="changed at the provider")
        first = many.step()
        assert set(first) == {Outcome.CLIENT_REJECTED}
        assert many.gate_of(aalto) == ("open", "incident")
        claimed_before = RenewalSlot.objects.filter(failure_class="").values_list("pk", "due_at", "attempts")
        untouched = list(claimed_before)
        assert many.step() == []
        assert list(claimed_before) == untouched
        assert many.states() == {("connected", "")}
        assert set(RenewalSlot.objects.values_list("pk", "state")) == before
        assert suspects() == 0
        assert set(OutboxEvent.objects.values_list("type", flat=True)) == {"registration.incident"}
        assert events("registration.incident") == 1

    def test_what_was_claimed_when_it_was_noticed_goes_back_untouched(self, aalto, local_provider):
        local_provider.update_client(client_secret="changed at the provider")
        seen = list(RenewalSlot.objects.values_list("pk", flat=True)[:2])
        renew.renew_now(seen[0])
        assert many.step() == []
        assert RenewalSlot.objects.exclude(lease_owner="").count() == 0
        assert RenewalSlot.objects.filter(attempts=0, failure_class="").count() == 59

    def test_with_hundreds_due_a_worker_sends_no_more_than_were_out_already(self, settled, local_provider):
        gate_limits._rates[settled.registration.pk] = None
        many.customers(settled.aalto, settled.registration, local_provider, 300)
        local_provider.update_client(client_secret="changed at the provider")
        Driver().drain(20)
        sent = len(local_provider.log(endpoint="token"))
        assert 1 <= sent <= 64
        assert many.states() == {("connected", "")}
        assert set(RenewalSlot.objects.values_list("state", "suspect_version", "lease_owner")) == {
            ("scheduled", None, "")
        }
        assert RenewalSlot.objects.filter(attempts=0, failure_class="").count() == 300 - sent
        assert list(OutboxEvent.objects.values_list("type", flat=True)) == ["registration.incident"]

    def test_heals_by_itself_at_the_probe_after_the_repair(self, aalto, local_provider):
        local_provider.update_client(client_secret="changed at the provider")
        many.step(3)
        many.passed(aalto, 61)
        assert many.step() == [Outcome.CLIENT_REJECTED], "one probe, which finds it as it was"
        local_provider.update_client(client_secret="sandbox secret: 100% +/& ä")
        many.passed(aalto, 61)
        assert many.step() == [Outcome.RENEWED]
        assert not ClientRegistration.objects.exclude(incident_since=None).exists()
        assert (events("registration.incident"), events("registration.healed")) == (1, 1)
        renewed = [len(many.step()) for _ in range(3)]
        assert renewed == [2, 4, 8]


def test_what_we_may_have_lost_ourselves_is_told_so_and_says_nothing_about_the_registration(aalto, local_provider):
    RenewalSlot.objects.update(uncertain_at=Now() - timedelta(hours=1))
    Credential.objects.update(expires_at=Now())
    refuse_all(local_provider)
    for _ in range(8):
        many.passed(aalto, 61)
        many.step()
    assert many.states() == {("reauthorization_required", "rotation_lost")}
    assert many.gate_of(aalto) == ("closed", "")
    assert events("registration.incident") == 0
