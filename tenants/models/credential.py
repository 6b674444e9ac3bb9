"""What a connection holds, sealed."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models.connection import Connection
from tenants.models.data_key import DataKey
from tenants.vault import SealContext


def credential_context(tenant_id: UUID, connection_id: UUID, version: int) -> SealContext:
    """The place of one credential version: a blob of another version, row or tenant does not open here."""
    return SealContext(tenant_id=tenant_id, row_id=connection_id, field="credential", fence=version)


class Credential(models.Model):
    """One sealed blob a version: access token, refresh token, extras. The version is the fence it was written under.

    grant_issued_at is when the customer last authorized: a renewal keeps it, a new authorization sets it.
    The previous blob stays until the next write, so that a provider's mistake can be undone.
    """

    connection = models.OneToOneField(Connection, primary_key=True, on_delete=models.CASCADE, related_name="credential")
    version = models.BigIntegerField()
    sealed = models.BinaryField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="+")
    refresh_fingerprint = models.BinaryField(null=True)
    issued_at = models.DateTimeField(db_default=Now())
    grant_issued_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    previous_version = models.BigIntegerField(null=True)
    previous_sealed = models.BinaryField(null=True)
    previous_data_key = models.ForeignKey(DataKey, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        # A renewal leaves this column alone, so the index costs it nothing.
        indexes = [models.Index(fields=["grant_issued_at"], name="credential_grants")]

    def __str__(self) -> str:
        return f"credential {self.connection_id} version {self.version}"


class CredentialOrphan(models.Model):
    """A credential that no connection holds: kept until revoked at the provider or adopted, never dropped.

    A late writer's (its fence was lost), a disconnected connection's, or one of another account than the connection's:
    then account tells whose (issuer, subject, name), and expires_at when its access token ends.
    """

    class Outcome(models.TextChoices):
        HELD = "held", "held for staff to look at"
        PARKED = "parked", "of another account: waits for staff to take it or turn it away"
        REVOKE = "revoke", "to be revoked at the provider"
        REVOKED = "revoked", "revoked at the provider"
        GIVEN_UP = "given_up", "the provider could not be told within seven days"
        SUPERSEDED = "superseded", "let go: tokens of another line have been renewed since"

    connection_id = models.UUIDField(db_index=True)
    tenant_id = models.UUIDField()
    fence = models.BigIntegerField()
    sealed = models.BinaryField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.HELD)
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.IntegerField(default=0)
    account = models.JSONField(default=dict)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=Q(outcome="revoke"), name="orphan_to_revoke")]

    def __str__(self) -> str:
        return f"orphan of {self.connection_id} fence {self.fence} ({self.outcome})"

    def seal_context(self) -> SealContext:
        return SealContext(tenant_id=self.tenant_id, row_id=self.connection_id, field="orphan", fence=self.fence)
