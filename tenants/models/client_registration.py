"""Our standing at a provider."""

import uuid
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models.data_key import DataKey
from tenants.models.tenant import Tenant
from tenants.vault import SealContext


def secrets_context(tenant_id: UUID | None, registration_id: UUID) -> SealContext:
    """The place of a registration's secrets, for who has only columns of its row."""
    return SealContext(tenant_id=tenant_id, row_id=registration_id, field="client_secrets")


class ClientRegistration(models.Model):
    """A client id at one provider and environment; shared by all tenants, or owned by one.

    The secrets are one sealed list, newest last, so that one can be rotated while the other still works.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="client_registrations"
    )
    provider_id = models.CharField(max_length=64)
    environment = models.CharField(max_length=32)
    client_id = models.CharField(max_length=300)
    redirect_key = models.SlugField(
        max_length=64, unique=True, help_text="Last segment of this registration's own redirect URI."
    )
    sealed_secrets = models.BinaryField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="+")
    scopes = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    token_endpoint_auth_method = models.CharField(max_length=40, blank=True)
    secret_expires_at = models.DateTimeField(
        null=True, blank=True, help_text="When the provider ends the newest client secret; empty when it does not."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True)
    incident = models.CharField(max_length=64, blank=True, default="")
    incident_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["provider_id", "environment"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider_id", "environment", "client_id"],
                nulls_distinct=False,
                name="one_registration_per_client_id",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider_id} ({self.environment}) {self.client_id}"

    def seal_context(self) -> SealContext:
        return secrets_context(self.tenant_id, self.id)
