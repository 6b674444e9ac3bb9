"""A tenant that is deleted: served no more from the first moment, revoked everywhere, and then nothing of it opens."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection as database
from django.db.models.functions import Now
from django.test import Client

from broker.errors import ConnectLinkExpired, TenantNotFound
from broker.services import (
    abandoned,
    authorize,
    callers,
    connecting,
    orphans,
    register,
    renew,
    revoke,
    sessions,
    tenant_end,
)
from broker.services.renewal_attempt import Outcome
from providers.messages import OAuthCredential, Secret
from tenants.models import (
    ApiKey,
    AuditEvent,
    AuthorizationRequest,
    ClientRegistration,
    Connection,
    ConnectSession,
    Credential,
    CredentialOrphan,
    DataKey,
    Tenant,
)
from tests import flows, people
from tests.broker.services import signed_in
from tests.fakes.sandbox import USER_OF_TWO

STAFF = people.STAFF


def later(**passed):
    """As if so much time had passed since everything."""
    ago = Now() - timedelta(**passed)
    Tenant.objects.exclude(deleted_at=None).update(deleted_at=ago)
    Connection.objects.update(state_changed_at=ago)


def tell_the_provider():
    for orphan_id in revoke.due_revocations(limit=50):
        revoke.revoke_orphan(orphan_id)


def end(tenant):
    assert tenant_end.begin(tenant, actor=STAFF)
    tenant_end.go_on()


def token(key, connection):
    return Client().get(f"/v1/connections/{connection.pk}/token", headers={"Authorization": f"Bearer {key}"})


def named(key, tenant):
    path = f"/v1/tenants/{tenant.slug}/providers/{people.PROVIDER}/token"
    return Client().get(path, headers={"Authorization": f"Bearer {key}"})


def mentions(tenant_id):
    """The tables, audit and outbox aside, that still have the id in one of their columns."""
    found = set()
    for model in apps.get_app_config("tenants").get_models():
        table = model._meta.db_table
        with database.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{tenant_id}%"])
            if cursor.fetchone()[0]:
                found.add(table)
    return found - {"tenants_auditevent", "tenants_outboxevent", "tenants_issuecount"}


class TestTheFirstMoment:
    def test_nothing_is_served_any_more_although_the_connections_still_stand(self, settled, connect, settings):
        settings.KEY_TRUSTED_SECONDS = 0
        connection = connect()
        everywhere = people.new_key("all-tenants", None, people.EVERYTHING)
        assert [token(key, connection).status_code for key in (settled.aalto_key, everywhere)] == [200, 200]
        assert tenant_end.begin(settled.aalto, actor=STAFF)
        connection.refresh_from_db()
        assert connection.state == "connected"
        assert token(everywhere, connection).status_code == 404
        assert named(everywhere, settled.aalto).status_code == 404
        assert token(settled.aalto_key, connection).status_code == 401, "a key that served nobody else is revoked"

    def test_keys_that_serve_others_too_go_on(self, settled, connect):
        connection = connect(settled.birch)
        both = people.new_key("both", [settled.aalto, settled.birch], people.EVERYTHING)
        tenant_end.begin(settled.aalto, actor=STAFF)
        assert token(both, connection).status_code == 200
        assert token(settled.birch_key, connection).status_code == 200

    def test_its_slug_and_its_links_are_gone(self, settled):
        link = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
        under_way = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF).session
        started = authorize.begin(under_way, people.PROVIDER)
        tenant_end.begin(settled.aalto, actor=STAFF)
        with pytest.raises(TenantNotFound):
            register.tenant_by_slug("aalto")
        with pytest.raises(TenantNotFound):
            sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF)
        with pytest.raises(ConnectLinkExpired):
            sessions.find(link.url.rsplit("/", 1)[-1])
        assert flows.come_back(started).outcome == "expired"
        assert not Connection.objects.exists()

    def test_a_second_time_changes_nothing(self, settled):
        assert tenant_end.begin(settled.aalto, actor=STAFF)
        assert not tenant_end.begin(settled.aalto, actor=STAFF)
        assert AuditEvent.objects.filter(action="tenant.deletion_begun").count() == 1

    def test_a_flow_whose_tokens_come_too_late_connects_nothing_and_gives_them_back(
        self, settled, local_provider, monkeypatch
    ):
        session = sessions.create(settled.aalto, [people.PROVIDER], actor=STAFF).session
        started = authorize.begin(session, people.PROVIDER)
        identify = connecting._identify

        def meanwhile(*arguments):
            # The tokens are there, and nothing is stored yet.
            assert tenant_end.begin(settled.aalto, actor=STAFF)
            return identify(*arguments)

        monkeypatch.setattr(connecting, "_identify", meanwhile)
        assert flows.come_back(started).outcome == "expired"
        assert not Connection.objects.exists()
        assert [grant["alive"] for grant in local_provider.grants()] == [False]


class TestTheEnd:
    def test_every_token_is_revoked_and_every_row_goes(self, settled, connect, local_provider):
        connection, other = connect(), connect(settled.birch)
        link = sessions.create(settled.aalto, [people.PROVIDER], connection=connection, actor=STAFF)
        flows.run(link.session, username=USER_OF_TWO)
        own = register.register_client(
            people.PROVIDER,
            environment="local",
            client_id="own-client",
            client_secret=Secret("own"),
            tenant=settled.aalto,
            actor=STAFF,
        )
        end(settled.aalto)
        connection.refresh_from_db()
        assert connection.state == "disconnected"
        assert not Credential.objects.filter(pk=connection.pk).exists()
        later(hours=1)
        assert tenant_end.go_on() == 0, "the provider has not been told yet"
        tell_the_provider()
        tenant_end.go_on()
        assert not Tenant.objects.filter(slug="aalto").exists()
        assert mentions(settled.aalto.pk) == set()
        assert mentions(connection.pk) == set()
        assert not ClientRegistration.objects.filter(pk=own.pk).exists()
        assert {event.action for event in AuditEvent.objects.filter(tenant_id=settled.aalto.pk)} >= {
            "connection.connected",
            "tenant.deletion_begun",
            "tenant.deleted",
        }
        assert [grant["alive"] for grant in local_provider.grants()] == [False, True, False], "Birch's own lives on"
        assert renew.renew_now(other.pk) is Outcome.RENEWED
        assert DataKey.objects.filter(tenant=settled.birch).exists()
        assert register.create_tenant("aalto", name="Another", actor=STAFF).pk != settled.aalto.pk

    def test_not_while_a_request_may_still_be_out(self, settled, connect):
        connect()
        end(settled.aalto)
        tell_the_provider()
        tenant_end.go_on()
        assert Tenant.objects.filter(slug="aalto").exists()
        later(minutes=9)
        tenant_end.go_on()
        assert Tenant.objects.filter(slug="aalto").exists()
        later(minutes=11)
        tenant_end.go_on()
        assert not Tenant.objects.filter(slug="aalto").exists()

    def test_a_provider_that_is_away_is_waited_for(self, settled, connect, local_provider):
        connect()
        local_provider.fault("revocation", "status", status=503, times=1)
        end(settled.aalto)
        tell_the_provider()
        later(hours=2)
        tenant_end.go_on()
        assert Tenant.objects.filter(slug="aalto").exists()
        CredentialOrphan.objects.update(due_at=Now())
        tell_the_provider()
        tenant_end.go_on()
        assert not Tenant.objects.filter(slug="aalto").exists()
        assert local_provider.grants(alive="true") == []

    def test_tokens_that_wait_for_a_choice_are_given_back_first(self, settled, local_provider):
        signed_in.dinero(local_provider)
        flow = signed_in.run(signed_in.link(settled.aalto, signed_in.DINERO))
        assert flow.status == "choosing"
        end(settled.aalto)
        later(hours=1)
        tenant_end.go_on()
        assert AuthorizationRequest.objects.filter(pk=flow.pk).exists()
        assert abandoned.end_abandoned() == 1
        tenant_end.go_on()
        assert not Tenant.objects.filter(slug="aalto").exists()

    def test_it_goes_on_where_it_stopped(self, settled, connect):
        first = connect()
        for number in range(6):
            Connection.objects.create(
                tenant=settled.aalto,
                registration=first.registration,
                provider_id=people.PROVIDER,
                label=str(number),
                state="connected",
            )
        tenant_end.begin(settled.aalto, actor=STAFF)
        assert tenant_end.go_on(limit=3) == 3
        assert tenant_end.remaining(settled.aalto).connections == 4
        assert tenant_end.go_on(limit=3) == 3
        assert tenant_end.go_on(limit=3) == 1
        tell_the_provider()
        later(hours=1)
        assert tenant_end.go_on(limit=3) == 3, "and rows are deleted in parts as well"
        assert Connection.objects.filter(tenant=settled.aalto).count() == 4
        assert tenant_end.go_on_for(seconds=20.0) == 5
        assert not Tenant.objects.filter(slug="aalto").exists()

    def test_a_crash_in_the_last_step_leaves_all_of_it_for_the_next_time(self, settled, connect, monkeypatch):
        connect()
        end(settled.aalto)
        tell_the_provider()
        later(hours=1)

        def crash(execute, sql, parameters, many, context):
            if "DELETE FROM tenants_tenant " in sql:
                raise KeyboardInterrupt
            return execute(sql, parameters, many, context)

        with pytest.raises(KeyboardInterrupt), database.execute_wrapper(crash):
            tenant_end.go_on()
        assert Connection.objects.filter(tenant=settled.aalto).exists()
        tenant_end.go_on()
        assert not Tenant.objects.filter(slug="aalto").exists()

    def test_what_comes_even_later_is_given_back_at_once(self, settled, connect, local_provider):
        connection = Connection.objects.select_related("registration__data_key").get(pk=connect().pk)
        end(settled.aalto)
        tell_the_provider()
        later(hours=1)
        tenant_end.go_on()
        brought = OAuthCredential(access_token=Secret("a" * 20), refresh_token=Secret("r" * 20))
        seen = local_provider.last_number()
        orphans.keep_late(connection, 99, brought, brought, 3600.0, 0.5)
        assert local_provider.log(since=seen, endpoint="revocation")


def test_what_is_revoked_of_a_caller_is_only_its_keys(settled):
    tenant_end.begin(settled.aalto, actor=STAFF)
    assert ApiKey.objects.get(caller__name="aalto-service").revoked_at is not None
    assert ApiKey.objects.get(caller__name="birch-service").revoked_at is None
    assert callers.parse(f"Bearer {settled.birch_key}")
    assert not ConnectSession.objects.filter(tenant=settled.aalto, expires_at__gt=Now()).exists()
