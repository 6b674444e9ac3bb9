"""What the database itself holds to, whoever writes."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from tenants import audit
from tenants.models import (
    AuditEvent,
    AuthorizationRequest,
    ClientRegistration,
    Connection,
    ConnectSession,
    Credential,
    CredentialOrphan,
    DataKey,
)
from tests.tenants.rows import new_connection, new_data_key, new_tenant
from tests.together import together

pytestmark = pytest.mark.django_db


def execute(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


class TestAudit:
    def test_an_event_says_who_did_what_to_which_connection(self):
        made = new_connection()
        audit.record_for(made, "connection.suspended", audit.staff("anna"), reason="asked by phone")
        event = AuditEvent.objects.get()
        assert (event.tenant_id, event.connection_id) == (made.tenant_id, made.id)
        assert (event.action, event.actor_kind, event.actor) == ("connection.suspended", "staff", "anna")
        assert event.detail == {"reason": "asked by phone"}

    def test_an_event_goes_with_the_transaction_it_is_about(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            audit.record("x", audit.SYSTEM, tenant_id=None)
            raise ZeroDivisionError
        assert not AuditEvent.objects.exists()

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE tenants_auditevent SET actor = 'nobody'",
            "UPDATE tenants_auditevent SET id = id",
            "DELETE FROM tenants_auditevent",
            "INSERT INTO tenants_auditevent SELECT * FROM tenants_auditevent "
            "ON CONFLICT (id) DO UPDATE SET actor = 'nobody'",
        ],
    )
    def test_the_database_refuses_to_change_or_delete_one_even_in_raw_sql(self, sql):
        audit.record("x", audit.caller("invoicing"), tenant_id=None)
        with pytest.raises(DatabaseError, match="append only"):
            execute(sql)
        assert AuditEvent.objects.get().actor == "invoicing"

    def test_so_it_does_through_the_models(self):
        audit.record("x", audit.SYSTEM, tenant_id=None)
        event = AuditEvent.objects.get()
        event.action = "y"
        for write in (event.save, event.delete, AuditEvent.objects.all().delete):
            with pytest.raises(DatabaseError, match="append only"), transaction.atomic():
                write()

    def test_events_outlive_their_connection(self):
        made = new_connection()
        audit.record_for(made, "x", audit.SYSTEM)
        Connection.objects.filter(pk=made.id).delete()
        assert AuditEvent.objects.get().connection_id == made.id


class TestDataKeys:
    @pytest.mark.parametrize("of_a_tenant", [True, False])
    def test_a_tenant_and_the_platform_have_one_active_key(self, of_a_tenant):
        tenant = new_tenant() if of_a_tenant else None
        first = new_data_key(tenant)
        with pytest.raises(IntegrityError, match="one_active_data_key"), transaction.atomic():
            new_data_key(tenant)
        DataKey.objects.filter(pk=first.pk).update(active=False, retired_at=Now())
        assert new_data_key(tenant).active
        assert new_data_key(tenant, active=False).pk

    def test_each_tenant_has_its_own(self):
        assert new_data_key(new_tenant()).pk != new_data_key(new_tenant()).pk

    def test_a_key_that_still_seals_something_is_not_deleted(self):
        made = new_connection()
        with pytest.raises(ProtectedError):
            made.registration.data_key.delete()

    def test_its_text_does_not_show_it(self):
        key = new_data_key(None)
        assert bytes(key.wrapped).hex() not in repr(key)
        assert str(key) == f"data key {key.id} under v1"


@pytest.mark.django_db(transaction=True)
def test_two_that_make_a_tenants_first_key_at_once_make_one():
    tenant = new_tenant()

    def make() -> bool:
        try:
            return bool(new_data_key(tenant))
        except IntegrityError:
            return False

    assert sorted(together(make, make, make)) == [False, False, True]


class TestForTenant:
    def test_foreign_and_absent_connections_look_the_same(self):
        ours, theirs = new_connection(), new_connection()
        mine = Connection.objects.for_tenant(ours.tenant_id)
        assert list(mine) == [ours]
        for unseen in (theirs.pk, uuid.uuid4()):
            with pytest.raises(Connection.DoesNotExist):
                mine.get(pk=unseen)

    def test_it_narrows_every_question_that_follows(self):
        ours, theirs = new_connection(), new_connection()
        mine = Connection.objects.for_tenant(ours.tenant_id)
        assert mine.filter(provider_id="some-provider").count() == 1
        assert mine.exclude(pk=ours.pk).count() == 0
        assert mine.for_tenant(theirs.tenant_id).count() == 0

    def test_a_list_of_tenants_narrows_and_none_means_all(self):
        ours, theirs = new_connection(), new_connection()
        every = Connection.objects
        assert set(every.for_tenants(None)) == {ours, theirs}
        assert set(every.for_tenants([ours.tenant_id])) == {ours}
        assert set(every.for_tenants([])) == set()

    @pytest.mark.parametrize("model", [Connection, ConnectSession, AuthorizationRequest])
    def test_every_model_that_callers_ask_for_has_it(self, model):
        assert "WHERE" in str(model.objects.for_tenant(uuid.uuid4()).query)


class TestConstraints:
    def test_one_registration_for_one_client_id_shared_ones_too(self):
        key = new_data_key(None)

        def register() -> None:
            ClientRegistration.objects.create(
                provider_id="p",
                environment="e",
                client_id="c",
                redirect_key=uuid.uuid4().hex,
                sealed_secrets=b"",
                data_key=key,
            )

        register()
        with pytest.raises(IntegrityError, match="one_registration_per_client_id"), transaction.atomic():
            register()

    def test_a_registration_in_use_is_not_deleted(self):
        made = new_connection()
        with pytest.raises(ProtectedError):
            made.registration.delete()

    def test_deleting_a_connection_takes_its_credential_but_not_its_orphans(self):
        made = new_connection()
        key = made.registration.data_key
        Credential.objects.create(connection=made, version=1, sealed=b"x", data_key=key)
        CredentialOrphan.objects.create(
            connection_id=made.id, tenant_id=made.tenant_id, fence=1, sealed=b"x", data_key=key
        )
        made.delete()
        assert (Credential.objects.count(), CredentialOrphan.objects.count()) == (0, 1)

    def test_an_authorization_request_is_found_by_its_state_once(self):
        made = new_connection()
        key, later = made.registration.data_key, Now() + timedelta(minutes=1)
        session = ConnectSession.objects.create(
            token_hash=b"t", sealed_token=b"", data_key=key, tenant=made.tenant, providers=["p"], expires_at=later
        )

        def start() -> None:
            AuthorizationRequest.objects.create(
                session=session,
                tenant=made.tenant,
                registration=made.registration,
                provider_id="p",
                state_hash=b"same",
                browser_hash=b"",
                sealed_verifier=b"",
                data_key=key,
                redirect_uri="https://broker.example/cb/x",
                expires_at=later,
            )

        start()
        with pytest.raises(IntegrityError), transaction.atomic():
            start()


def test_support_staff_may_look_and_act_and_nothing_else():
    granted = set(Group.objects.get(name="support").permissions.values_list("codename", flat=True))
    assert {"view_connection", "renew_connection", "repair_connection", "disconnect_connection"} <= granted
    assert not [name for name in granted if name.startswith(("add_", "change_", "delete_"))]
    assert not [name for name in granted if "credential" in name or "datakey" in name or "apikey" in name]
