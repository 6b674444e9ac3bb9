"""Deleting a tenant from its page: for superusers, and never by one press alone."""

from django.test import Client
from django.urls import reverse

from tenants.models import AuditEvent, Connection, Tenant
from tests.broker.admin.test_verbs import text
from tests.people import People


def address(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_end", args=[tenant.pk])


def test_it_asks_first_and_names_what_ends(root: Client, support: Client, connection: Connection) -> None:
    tenant = connection.tenant
    change = reverse("admin:tenants_tenant_change", args=[tenant.pk])
    assert address(tenant) in text(root.get(change))
    assert address(tenant) not in text(support.get(change))
    assert "end 1 connection?" in text(root.get(address(tenant)))
    for typed in ({}, {"slug": "birch"}):
        asked = text(root.post(address(tenant), typed))
        assert "That is not the slug. Nothing was done." in asked
    tenant.refresh_from_db()
    assert tenant.deleted_at is None


def test_the_typed_slug_deletes_it(root: Client, connection: Connection, settled: People) -> None:
    answer = root.post(address(settled.aalto), {"slug": "aalto"}, follow=True)
    assert "is being deleted: nothing of it is served any more" in text(answer)
    assert "1 connections to end" in text(answer)
    event = AuditEvent.objects.get(action="tenant.deletion_begun")
    assert (event.actor, event.detail["connections"]) == ("root-anna", 1)
    assert "being deleted already" in text(root.post(address(settled.aalto), {"slug": "aalto"}, follow=True))


def test_support_may_not(support: Client, connection: Connection, settled: People) -> None:
    assert support.post(address(settled.aalto), {"slug": "aalto"}).status_code == 403
    settled.aalto.refresh_from_db()
    assert settled.aalto.deleted_at is None
