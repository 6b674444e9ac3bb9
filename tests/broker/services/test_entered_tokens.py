"""A credential that is typed in and makes tokens: stored with what was typed, renewed from it, ended with it."""

import pytest

from broker.services import authorize, choosing, credentials, entering, keys, renew, revoke
from broker.services.entering import EntryRefused
from broker.services.renewal_attempt import Outcome
from providers.messages import OAuthCredential, Secret
from tenants.errors import SealBroken
from tenants.models import (
    AuditEvent,
    AuthorizationRequest,
    Connection,
    Credential,
    CredentialOrphan,
    DataKey,
    MintedToken,
    RenewalSlot,
)
from tests import people
from tests.broker.services import signed_in, typed_in
from tests.broker.services.signed_in import ACME
from tests.broker.services.typed_in import FILLED_IN, enter, link

SERVICE = "visma-net-erp-service"
TOKEN = OAuthCredential(access_token=Secret("a minted token"), scope=("one",))


@pytest.fixture
def service(settled, local_provider):
    system = local_provider.system("visma-connect")
    system.put("tenants", ACME, {"name": "Acme Oy", "apps": ["isv_service"]})
    system.put("apps", "isv_service", {"secret": "s" * 32, "type": "service"})
    return typed_in.registered(SERVICE, "isv_service", "s" * 32)


@pytest.fixture
def connection(settled, service):
    return enter(settled.aalto, SERVICE, {"tenant_id": ACME})


def minted(connection):
    row = MintedToken(connection=connection, scope_key="one", scopes=["one"], version=1)
    sealed = credentials.seal_minted(connection.tenant_id, row.pk, 1, TOKEN)
    row.sealed, row.data_key = sealed.blob, sealed.key
    row.save()
    return row


def test_the_token_is_kept_with_what_was_typed_and_renewed_from_it(connection, local_provider):
    held = credentials.open_current(connection.credential, connection.tenant_id)
    assert isinstance(held, OAuthCredential)
    assert held.entered is not None
    assert held.entered.fields["tenant_id"].reveal() == ACME
    assert connection.credential.expires_at is not None
    assert (connection.external_subject, connection.state) == (ACME, "connected")
    assert RenewalSlot.objects.get(pk=connection.pk).state == "scheduled"
    assert renew.renew_now(connection.pk) is Outcome.RENEWED
    stored = Credential.objects.get()
    fresh = credentials.open_current(stored, connection.tenant_id)
    assert fresh.entered == held.entered
    assert stored.refresh_fingerprint is None


def test_a_tenant_that_has_not_granted_the_application_is_told(settled, service, local_provider):
    local_provider.system("visma-connect").change("tenants", ACME, apps=[])
    with pytest.raises(EntryRefused) as caught:
        entering.enter(link(settled.aalto, SERVICE), SERVICE, {"tenant_id": ACME})
    assert caught.value.code in ("right_missing", "credential_refused")
    assert not Connection.objects.exists()


def test_a_refused_registration_is_staffs_matter(settled, service, local_provider):
    local_provider.system("visma-connect").change("apps", "isv_service", secret="changed" * 5)
    with pytest.raises(EntryRefused, match="registration_rejected"):
        entering.enter(link(settled.aalto, SERVICE), SERVICE, {"tenant_id": ACME})
    service.refresh_from_db()
    assert service.incident == "invalid_client"
    local_provider.system("visma-connect").change("apps", "isv_service", secret="s" * 32)
    enter(settled.aalto, SERVICE, {"tenant_id": ACME})
    service.refresh_from_db()
    assert service.incident_since is None, "what works again is healed by it"


class TestEnding:
    def test_disconnecting_shreds_it_and_every_token_made_of_it(self, connection):
        minted(connection)
        assert revoke.disconnect(connection, actor=people.STAFF) is False
        assert (Credential.objects.count(), MintedToken.objects.count(), CredentialOrphan.objects.count()) == (0, 0, 0)

    def test_connecting_again_drops_tokens_made_of_the_old_one(self, settled, connection):
        minted(connection)
        assert enter(settled.aalto, SERVICE, {"tenant_id": ACME}, repair=connection).pk == connection.pk
        assert not MintedToken.objects.exists()

    def test_a_renewal_that_comes_too_late_is_let_go(self, connection, monkeypatch):
        """Disconnected while the token request is out: what it brings is not kept anywhere."""
        provider = renew.directory.provider(SERVICE)
        real = provider.renew

        def slow(*given):
            answer = real(*given)
            revoke.disconnect(Connection.objects.get(), actor=people.STAFF)
            return answer

        monkeypatch.setattr(provider, "renew", slow)
        assert renew.renew_now(connection.pk) is Outcome.FENCE_LOST
        assert (Credential.objects.count(), CredentialOrphan.objects.count()) == (0, 0)
        assert AuditEvent.objects.filter(action="credential.let_go").exists()


class TestNewDataKeys:
    def test_what_was_typed_is_sealed_again_and_made_tokens_are_dropped(self, settled, connection, local_provider):
        typed_in.netvisor(local_provider)
        other = enter(settled.aalto, "netvisor", FILLED_IN)
        minted(connection)
        keys.renew_data_keys()
        assert keys.reseal().failed == set()
        assert not MintedToken.objects.exists()
        assert set(Credential.objects.values_list("data_key__active", flat=True)) == {True}
        held = credentials.open_current(Credential.objects.get(pk=other.pk), settled.aalto.pk)
        assert held.fields["customer_key"].reveal() == typed_in.CUSTOMER_KEY

    def test_a_posted_answer_and_a_choice_outlive_them(self, settled, local_provider):
        signed_in.visma_connect(local_provider)
        started = authorize.begin(signed_in.link(settled.aalto, signed_in.ERP), signed_in.ERP)
        redirect_key, answer = signed_in.sign_in(started)
        keys.renew_data_keys()
        authorize.take_posted(redirect_key, answer)
        keys.renew_data_keys()
        keys.reseal()
        flow = authorize.complete_posted(redirect_key, started.flow_id, lambda _: started.browser_secret)
        assert flow.outcome == "connected"
        signed_in.visma_net(local_provider, "acme", "birch")
        choice = signed_in.run(signed_in.link(settled.aalto, signed_in.INTEGRATIONS))
        keys.renew_data_keys()
        keys.reseal()
        waiting = AuthorizationRequest.objects.get(pk=choice.pk)
        assert choosing.choose_company(waiting, "acme").outcome == "connected"
        assert DataKey.objects.filter(active=False).exists()


def test_a_minted_token_opens_in_its_row_and_version_only(connection):
    row = minted(connection)
    key = row.data_key.as_wrapped()
    opened = credentials.open_minted(key, row_id=row.pk, version=1, sealed=bytes(row.sealed))
    assert opened.access_token.reveal() == "a minted token"
    for place in ({"row_id": row.pk, "version": 2}, {"row_id": connection.pk, "version": 1}):
        with pytest.raises(SealBroken):
            credentials.open_minted(key, **place, sealed=bytes(row.sealed))
