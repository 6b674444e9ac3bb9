"""One tenant's standing at one provider."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models.client_registration import ClientRegistration
from tenants.models.tenant import Tenant
from tenants.querysets.scoped import TenantQuerySet


class State(models.TextChoices):
    PENDING = "pending", "waiting for the customer"
    CONNECTED = "connected", "connected"
    DEGRADED = "degraded", "connected, but renewing fails"
    REAUTHORIZATION_REQUIRED = "reauthorization_required", "the customer must connect again"
    SUSPENDED = "suspended", "suspended by staff"
    DISCONNECTED = "disconnected", "disconnected"


class Reason(models.TextChoices):
    """Why a connection is not simply connected, in words that support can read to a customer."""

    NONE = "", ""
    GRANT_REVOKED = "grant_revoked", "The provider no longer accepts this connection."
    PASSWORD_CHANGED = "password_changed", "The provider's user changed their password."
    IDLE_EXPIRED = "idle_expired", "The connection was not used for longer than the provider allows."
    ABSOLUTE_EXPIRED = "absolute_expired", "The connection reached the longest life the provider allows."
    CONSENT_WITHDRAWN = "consent_withdrawn", "Somebody withdrew the consent at the provider."
    SCOPE_MISSING = "scope_missing", "The provider granted fewer rights than are needed."
    RIGHT_MISSING = "right_missing", "The provider's user lacks a right in the provider's own program."
    ACCOUNT_UNVERIFIED = "account_unverified", "The provider has not verified the company yet."
    ACCOUNT_MISMATCH = "account_mismatch", "Somebody signed in with another company than before."
    ROTATION_LOST = (
        "rotation_lost",
        "The answer to a renewal never reached us; the fault is not the customer's.",
    )
    CLIENT_MISCONFIGURED = (
        "client_misconfigured",
        "The provider refuses our own registration; staff must repair it.",
    )
    PROVIDER_UNAVAILABLE = "provider_unavailable", "The provider does not answer as it should."
    RATE_LIMITED = "rate_limited", "The provider asks us to wait."
    STORAGE_FAULT = "storage_fault", "A stored credential cannot be opened; operators must look."
    STAFF = "staff", "Staff suspended it."


class Connection(models.Model):
    """Its id never changes, reconnecting included."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="connections")
    registration = models.ForeignKey(ClientRegistration, on_delete=models.PROTECT, related_name="connections")
    provider_id = models.CharField(max_length=64)
    label = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=32, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=32, choices=Reason.choices, default=Reason.NONE, blank=True)
    external_issuer = models.CharField(max_length=300, blank=True)
    external_subject = models.CharField(max_length=300, blank=True)
    external_name = models.CharField(max_length=300, blank=True)
    scopes_asked = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    scopes_granted = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    connected_at = models.DateTimeField(null=True, blank=True)
    state_changed_at = models.DateTimeField(db_default=Now())

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        permissions = [
            ("renew_connection", "Can have a connection renewed now"),
            ("repair_connection", "Can make a repair link for a connection"),
            ("disconnect_connection", "Can disconnect a connection"),
            ("suspend_connection", "Can suspend and resume a connection"),
        ]
        indexes = [
            models.Index(fields=["tenant", "provider_id", "created_at", "id"], name="connection_by_provider"),
            models.Index(fields=["created_at", "id"], name="connection_pages"),
            models.Index(fields=["tenant", "created_at", "id"], name="connection_tenant_pages"),
            models.Index(fields=["provider_id", "created_at", "id"], name="connection_provider_pages"),
            models.Index(fields=["external_subject"], name="connection_by_account"),
            models.Index(
                fields=["state", "created_at", "id"], condition=~Q(state="connected"), name="connection_in_trouble"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider_id} of {self.tenant_id} ({self.state})"
