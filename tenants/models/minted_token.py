"""Tokens for further sets of scopes, each made from what a connection holds."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models.connection import Connection
from tenants.models.data_key import DataKey
from tenants.vault import SealContext


class MintedToken(models.Model):
    """One cached token per connection and set of scopes. The token for the registration's own scopes is not here:
    it is the connection's credential.

    Written only by the statements of querysets/minted.py. Losing a row costs one token request, nothing else.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="minted_tokens")
    scope_key = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=200))
    version = models.BigIntegerField(default=0)
    sealed = models.BinaryField(null=True)
    data_key = models.ForeignKey(DataKey, null=True, on_delete=models.PROTECT, related_name="+")
    issued_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    forced_version = models.BigIntegerField(null=True)
    forced_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    failure_class = models.CharField(max_length=30, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "scope_key"], name="one_token_per_scope_set")]
        indexes = [models.Index(fields=["due_at"], name="minted_token_due")]

    def __str__(self) -> str:
        return f"token of {self.connection_id} for {' '.join(self.scopes)}"

    def seal_context(self, tenant_id: uuid.UUID, version: int) -> SealContext:
        return SealContext(tenant_id=tenant_id, row_id=self.id, field="minted_token", fence=version)
