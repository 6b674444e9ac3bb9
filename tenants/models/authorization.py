"""Connect links and the authorization requests they start."""

import uuid
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models.client_registration import ClientRegistration
from tenants.models.connection import Connection
from tenants.models.data_key import DataKey
from tenants.models.tenant import Tenant
from tenants.querysets.scoped import TenantQuerySet
from tenants.vault import SealContext


class ConnectSession(models.Model):
    """A one-time link for one tenant. Opening it changes nothing; the first POST binds it to that browser.

    The link's token is stored as a hash, and sealed, so that one open repair link can be shown again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_hash = models.BinaryField(unique=True)
    sealed_token = models.BinaryField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="connect_sessions")
    providers = ArrayField(models.CharField(max_length=64))
    return_url = models.CharField(max_length=500, blank=True)
    locale = models.CharField(max_length=10)
    label = models.CharField(max_length=100, blank=True)
    connection = models.ForeignKey(Connection, null=True, on_delete=models.CASCADE, related_name="connect_sessions")
    created_by = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)
    starts = models.IntegerField(default=0)
    outcome = models.CharField(max_length=40, blank=True, default="")

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="connect_session_expiry")]

    def __str__(self) -> str:
        return f"connect session {self.id}"

    def seal_context(self) -> SealContext:
        return SealContext(tenant_id=self.tenant_id, row_id=self.id, field="connect_token")


class AuthorizationRequest(models.Model):
    """Pending, one use: hash of state, sealed verifier, browser binding, expiry.

    sealed_response holds an answer that was posted from the provider's site, until the browser that started the flow
    asks for it. While `choosing`, sealed_credential holds what was granted, until the customer has picked a company.
    A filled-in form is a flow as well: consumed at once, with an outcome.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        CHOOSING = "choosing"
        CONSUMED = "consumed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(ConnectSession, on_delete=models.CASCADE, related_name="requests")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    registration = models.ForeignKey(ClientRegistration, on_delete=models.CASCADE, related_name="+")
    provider_id = models.CharField(max_length=64)
    state_hash = models.BinaryField(unique=True)
    browser_hash = models.BinaryField()
    sealed_verifier = models.BinaryField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="+")
    sealed_response = models.BinaryField(null=True)
    sealed_credential = models.BinaryField(null=True)
    redirect_uri = models.CharField(max_length=500)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    outcome = models.CharField(max_length=40, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="authorization_request_expiry")]

    def __str__(self) -> str:
        return f"authorization request {self.id} ({self.status})"

    def seal_context(self) -> SealContext:
        return verifier_context(self.tenant_id, self.id)


def response_context(tenant_id: UUID, request_id: UUID) -> SealContext:
    return SealContext(tenant_id=tenant_id, row_id=request_id, field="authorization_response")


def choosing_context(tenant_id: UUID, request_id: UUID) -> SealContext:
    return SealContext(tenant_id=tenant_id, row_id=request_id, field="choosing")


def verifier_context(tenant_id: UUID, request_id: UUID) -> SealContext:
    return SealContext(tenant_id=tenant_id, row_id=request_id, field="code_verifier")
