"""A caller reports 401 or 403: whose turn is it?"""

import threading

import pytest
from django.db import connection as database

from broker.errors import InvalidRequest
from broker.services import feedback, refusing, renew
from tenants import audit
from tenants.models import AuditEvent, Connection, OutboxEvent
from tenants.querysets import slots

CALLER = audit.caller("invoicing")


def report(connection, *, status=401, version=None, header=""):
    if version is None:
        version = Connection.objects.get(pk=connection.pk).credential.version
    fresh = Connection.objects.select_related("tenant", "registration").get(pk=connection.pk)
    told = feedback.Report(status=status, version=version, www_authenticate=header)
    return feedback.report(fresh, told, actor=CALLER)


def test_a_dead_grant_is_told_once_with_a_link_that_repairs_it(connect, local_provider):
    connection = connect()
    local_provider.change_password()
    verdict = report(connection)
    assert (verdict.verdict, verdict.action) == ("confirmed_dead", "send_customer_to_connect_url")
    assert (verdict.state, verdict.reason) == ("reauthorization_required", "grant_revoked")
    again = report(connection)
    assert again.verdict == "confirmed_dead"
    assert again.connect_url == verdict.connect_url, "one open link, not one a report"
    assert OutboxEvent.objects.filter(type="connection.reauthorization_required").count() == 1


def test_a_401_that_a_fresh_token_cures_blames_nobody(connect):
    connection = connect()
    before = connection.credential.version
    verdict = report(connection)
    assert (verdict.verdict, verdict.state) == ("renewed", "connected")
    assert verdict.version is not None
    assert verdict.version > before


def test_an_old_version_is_answered_with_the_newer_one_and_sends_nothing(connect, local_provider):
    connection = connect()
    old = connection.credential.version
    renew.renew_now(connection.id)
    sent = len(local_provider.log(endpoint="token"))
    verdict = report(connection, version=old)
    assert verdict.verdict == "stale_version"
    assert verdict.version > old
    assert len(local_provider.log(endpoint="token")) == sent


def test_twenty_reports_of_one_version_lead_to_one_request(connect, local_provider):
    connection = connect()
    version = connection.credential.version
    sent = len(local_provider.log(endpoint="token"))
    verdicts = []

    def run():
        try:
            verdicts.append(report(connection, version=version).verdict)
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(local_provider.log(endpoint="token")) == sent + 1
    assert set(verdicts) <= {"renewed", "stale_version"}
    assert len(verdicts) == 20


def test_a_report_that_waits_for_a_renewal_holds_no_database_connection(connect, settings, monkeypatch):
    settings.TOKEN_WAIT_SECONDS = 0.3
    connection = connect()
    version, held = connection.credential.version, []
    assert slots.claim_one(connection.pk, owner="somebody:1:1", lease_seconds=30)
    sleep = refusing.time.sleep

    def watched(seconds):
        held.append(database.connection)
        sleep(seconds)

    monkeypatch.setattr(refusing.time, "sleep", watched)
    assert report(connection, version=version).verdict == "provider_unavailable"
    assert held
    assert not any(held)


@pytest.mark.parametrize(
    ("header", "verdict"),
    [("", "not_a_token_problem"), ('Bearer error="insufficient_scope"', "scope_missing")],
)
def test_a_403_never_renews(connect, local_provider, header, verdict):
    connection = connect()
    sent = len(local_provider.log(endpoint="token"))
    assert report(connection, status=403, header=header).verdict == verdict
    assert len(local_provider.log(endpoint="token")) == sent


def test_a_provider_that_does_not_answer_is_not_a_dead_grant(connect, local_provider, settings):
    settings.TOKEN_WAIT_SECONDS = 0.3
    connection = connect()
    local_provider.fault("token", "status", status=500, times=5)
    sent = len(local_provider.log(endpoint="token"))
    assert report(connection).verdict == "provider_unavailable"
    assert report(connection).verdict == "provider_unavailable"
    assert len(local_provider.log(endpoint="token")) == sent + 1, "once a minute for one version"
    connection.refresh_from_db()
    assert connection.state == "connected"


def test_a_version_that_was_never_issued_is_refused(connect):
    connection = connect()
    with pytest.raises(InvalidRequest):
        report(connection, version=connection.credential.version + 1)


def test_a_report_that_led_to_a_request_is_on_the_timeline(connect):
    connection = connect()
    report(connection)
    event = AuditEvent.objects.get(connection_id=connection.id, action="feedback.reported")
    assert (event.actor_kind, event.actor) == ("caller", "invoicing")
    assert (event.detail["status"], event.detail["meaning"]) == (401, "credential_refused")
