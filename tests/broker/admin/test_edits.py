"""The few fields that superusers change: each change is checked and audited by name."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from broker.errors import CallerThrottled, Unauthenticated
from broker.services import callers
from tenants.models import ApiKey, AuditEvent, Caller, Tenant, TrustedIssuer
from tests import people
from tests.broker.admin.issuing import JWKS_URI, trusted_issuer
from tests.fakes.issuer import AUDIENCE, ISSUER
from tests.fakes.sandbox import SandboxProcess
from tests.people import People


@pytest.fixture
def settled(db: None, local_provider: SandboxProcess) -> People:
    """As elsewhere, but rolled back afterwards: nothing here needs real transactions."""
    return people.settle()


def tenant_form(**changed: str) -> dict[str, str]:
    return {"name": "Aalto Oy", "locale": "fi", "return_urls": people.RETURN_URL, "contacts": "", **changed}


def test_a_superuser_changes_what_a_tenant_s_customers_see(root: Client, settled: People) -> None:
    url = f"/admin/tenants/tenant/{settled.aalto.pk}/change/"
    lists = {"return_urls": "https://a.example/x,y\r\nhttps://b.example/\r\n", "contacts": "anna@aalto.example"}
    assert root.post(url, tenant_form(name="Aalto Group", **lists)).status_code == 302
    tenant = Tenant.objects.get(pk=settled.aalto.pk)
    assert (tenant.name, tenant.locale) == ("Aalto Group", "fi")
    assert tenant.return_urls == ["https://a.example/x,y", "https://b.example/"]
    assert tenant.contacts == ["anna@aalto.example"]
    event = AuditEvent.objects.get(action="tenant.changed")
    assert (event.actor_kind, event.actor, event.tenant_id) == ("staff", "root-anna", tenant.pk)
    assert event.detail["changed"] == ["Name", "Language", "Return URLs", "Contacts"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("return_urls", "http://a.example/"),
        ("return_urls", "https://user@a.example/"),
        ("return_urls", "javascript:alert(1)"),
        ("return_urls", "https://a.example/#x"),
        ("locale", "xx"),
        ("contacts", "nobody"),
        ("name", ""),
    ],
)
def test_a_tenant_s_fields_are_checked(root: Client, settled: People, field: str, value: str) -> None:
    url = f"/admin/tenants/tenant/{settled.aalto.pk}/change/"
    assert root.post(url, tenant_form(**{field: value})).status_code == 200
    assert Tenant.objects.get(pk=settled.aalto.pk).return_urls == [people.RETURN_URL]
    assert not AuditEvent.objects.filter(action="tenant.changed").exists()


def test_nobody_changes_a_slug(root: Client, settled: People) -> None:
    root.post(f"/admin/tenants/tenant/{settled.aalto.pk}/change/", tenant_form(slug="hijacked"))
    assert Tenant.objects.get(pk=settled.aalto.pk).slug == "aalto"


def test_a_superuser_narrows_a_caller(root: Client, settled: People) -> None:
    caller = people.caller_of("aalto-service")
    limits = {"rate_per_minute": "600", "connections_per_hour": "0"}
    form = {"operations": ["connection.read"], "tenants": [settled.birch.pk], "providers": [people.PROVIDER], **limits}
    form["purpose"] = "sends invoices"
    assert root.post(f"/admin/tenants/caller/{caller.pk}/change/", form).status_code == 302
    caller.refresh_from_db()
    assert (caller.active, caller.operations, caller.providers) == (False, ["connection.read"], [people.PROVIDER])
    assert list(caller.tenants.all()) == [settled.birch]
    with pytest.raises(Unauthenticated):
        callers.authenticate(callers.parse(f"Bearer {settled.aalto_key}"))
    event = AuditEvent.objects.get(action="caller.changed")
    assert event.detail == {
        "caller": "aalto-service",
        "changed": ["Active", "Purpose", "Operations", "Tenants", "Providers", "Rate per minute"],
        "now": {
            "active": False,
            "operations": ["connection.read"],
            "tenants": ["birch"],
            "providers": [people.PROVIDER],
            "rate_per_minute": 600,
            "connections_per_hour": 0,
            "purpose": "sends invoices",
        },
    }


@pytest.mark.parametrize(
    "form",
    [
        {"operations": ["everything"]},
        {"operations": []},
        {"providers": ["nowhere"]},
        {"rate_per_minute": "-1"},
        {"connections_per_hour": "many"},
    ],
)
def test_a_caller_s_fields_are_checked(root: Client, settled: People, form: dict[str, list[str]]) -> None:
    caller = people.caller_of("aalto-service")
    limits = {"rate_per_minute": "0", "connections_per_hour": "0"}
    whole = {"active": "on", "operations": ["token.read"], "tenants": [settled.aalto.pk], **limits, **form}
    assert root.post(f"/admin/tenants/caller/{caller.pk}/change/", whole).status_code == 200
    assert set(Caller.objects.get(pk=caller.pk).operations) == set(people.EVERYTHING)


def test_a_superuser_revokes_keys(root: Client, settled: People) -> None:
    key = ApiKey.objects.get(caller__name="aalto-service")
    answer = root.post("/admin/tenants/apikey/", {"action": "revoke", "_selected_action": key.pk}, follow=True)
    assert f"Revoked: {key.key_id}" in answer.content.decode()
    with pytest.raises(Unauthenticated):
        callers.authenticate(callers.parse(f"Bearer {settled.aalto_key}"))
    callers.authenticate(callers.parse(f"Bearer {settled.birch_key}"))
    event = AuditEvent.objects.get(action="caller.key_revoked")
    assert (event.actor, event.detail) == ("root-anna", {"caller": "aalto-service", "key_id": key.key_id})
    again = root.post("/admin/tenants/apikey/", {"action": "revoke", "_selected_action": key.pk}, follow=True)
    assert "revoked before" in again.content.decode()
    assert AuditEvent.objects.filter(action="caller.key_revoked").count() == 1


def test_a_superuser_says_where_a_key_may_come_from(root: Client, settled: People) -> None:
    key = ApiKey.objects.get(caller__name="aalto-service")
    url = f"/admin/tenants/apikey/{key.pk}/change/"
    assert root.post(url, {"networks": "192.0.2.0/24\r\n::ffff:10.0.0.0/104\r\n", "subject": "x"}).status_code == 302
    key.refresh_from_db()
    assert (key.networks, key.subject) == (["192.0.2.0/24", "10.0.0.0/8"], "")
    event = AuditEvent.objects.get(action="caller.key_changed")
    assert (event.actor, event.detail["networks"]) == ("root-anna", key.networks)
    refused = root.post(url, {"networks": "10.1.2.3/8"})
    assert "10.0.0.0/8 meant?" in refused.content.decode()
    assert AuditEvent.objects.filter(action="caller.key_changed").count() == 1


# As it is served: within one transaction the database's clock would stand still.
@pytest.mark.django_db(transaction=True)
def test_a_superuser_lets_a_throttled_key_read_on(root: Client, settled: People) -> None:
    key = ApiKey.objects.get(caller__name="aalto-service")
    ApiKey.objects.filter(pk=key.pk).update(throttled_until=timezone.now() + timedelta(minutes=30))
    assert "throttled until" in root.get("/admin/tenants/apikey/").content.decode()
    with pytest.raises(CallerThrottled):
        callers.authenticate(callers.parse(f"Bearer {settled.aalto_key}"))
    lift = {"action": "lift_throttle", "_selected_action": key.pk}
    assert f"Served again: {key.key_id}" in root.post("/admin/tenants/apikey/", lift, follow=True).content.decode()
    callers.authenticate(callers.parse(f"Bearer {settled.aalto_key}"))
    event = AuditEvent.objects.get(action="caller.throttle_lifted")
    assert (event.actor, event.detail) == ("root-anna", {"caller": "aalto-service", "key_id": key.key_id})
    assert "not throttled" in root.post("/admin/tenants/apikey/", lift, follow=True).content.decode()


def issuer_form(**changed: object) -> dict[str, object]:
    terms = {"active": "on", "audience": AUDIENCE, "algorithms": ["ES256"], "jwks_uri": JWKS_URI, "jwks": ""}
    return {**terms, "max_life_seconds": "900", **changed}


def test_a_superuser_changes_an_issuer_s_terms(root: Client, settled: People) -> None:
    row = trusted_issuer()
    url = f"/admin/tenants/trustedissuer/{row.pk}/change/"
    assert root.post(url, issuer_form(issuer="https://hijacked.example")).status_code == 302
    row.refresh_from_db()
    assert (row.algorithms, row.max_life_seconds, row.issuer) == (["ES256"], 900, ISSUER)
    event = AuditEvent.objects.get(action="issuer.changed")
    assert event.detail["changed"] == ["Algorithms", "Max life seconds"]
    assert event.detail["now"]["algorithms"] == ["ES256"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"jwks_uri": "http://issuer.example/keys"},
        {"jwks_uri": ""},
        {"jwks": '{"keys": []}'},
        {"jwks": '{"keys": []}', "jwks_uri": ""},
        {"audience": "two words"},
        {"max_life_seconds": "1"},
    ],
)
def test_an_issuer_s_terms_are_checked(root: Client, settled: People, wrong: dict[str, object]) -> None:
    row = trusted_issuer()
    url = f"/admin/tenants/trustedissuer/{row.pk}/change/"
    assert root.post(url, issuer_form(**wrong)).status_code == 200
    assert TrustedIssuer.objects.get(pk=row.pk).algorithms == ["RS256"]
    assert not AuditEvent.objects.filter(action="issuer.changed").exists()


def test_a_superuser_makes_a_support_account(root: Client, support_group: Group) -> None:
    password = {"usable_password": "true", "password1": "long enough, surely", "password2": "long enough, surely"}
    made = root.post("/admin/auth/user/add/", {"username": "support-eva", **password}, follow=True)
    assert made.status_code == 200
    eva = User.objects.get(username="support-eva")
    form = {"username": "support-eva", "is_active": "on", "is_staff": "on", "groups": [support_group.pk]}
    assert root.post(f"/admin/auth/user/{eva.pk}/change/", form).status_code == 302
    assert User.objects.get(pk=eva.pk).has_perm("tenants.renew_connection")
    actions = (
        AuditEvent.objects.filter(action__startswith="staff.account").order_by("id").values_list("action", "detail")
    )
    assert list(actions) == [
        ("staff.account_created", {"user": "support-eva"}),
        ("staff.account_changed", {"user": "support-eva", "changed": ["Staff status", "Groups"]}),
    ]


def test_a_new_password_is_audited_and_not_shown(root: Client, supporter: User) -> None:
    url = f"/admin/auth/user/{supporter.pk}/password/"
    new = {"usable_password": "true", "password1": "another long one", "password2": "another long one"}
    assert root.post(url, new).status_code == 302
    event = AuditEvent.objects.get(action="staff.account_changed")
    assert event.detail["changed"] == ["password"]
