"""A tenant's data-encryption key, wrapped by a key-encryption key version."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models.tenant import Tenant
from tenants.vault import WrappedKey


class DataKey(models.Model):
    """One active key a tenant seals; retired ones still open. A row without tenant is the platform's own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="data_keys")
    kek_version = models.CharField(max_length=32)
    wrapped = models.BinaryField()
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(active=True), nulls_distinct=False, name="one_active_data_key"
            )
        ]

    def __str__(self) -> str:
        return f"data key {self.id} under {self.kek_version}"

    def as_wrapped(self) -> WrappedKey:
        return WrappedKey(
            id=self.id, tenant_id=self.tenant_id, kek_version=self.kek_version, wrapped=bytes(self.wrapped)
        )
