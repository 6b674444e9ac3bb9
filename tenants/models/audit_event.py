"""Who did what."""

from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Now


class AuditEvent(models.Model):
    """Append only: a database trigger refuses UPDATE and DELETE. Plain ids, so that no cascade reaches it."""

    class Actor(models.TextChoices):
        CUSTOMER = "customer"
        CALLER = "caller"
        STAFF = "staff"
        SYSTEM = "system"

    tenant_id = models.UUIDField(null=True)
    connection_id = models.UUIDField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    actor_kind = models.CharField(max_length=10, choices=Actor.choices)
    actor = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=60)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["connection_id", "-id"], name="audit_of_connection"),
            # A timeline leaves out what was signed, which outnumbers all else by far.
            models.Index(
                fields=["connection_id", "-id"], name="audit_of_timeline", condition=~Q(action="request.signed")
            ),
            models.Index(fields=["tenant_id", "-id"], name="audit_of_tenant"),
            # Support looks for a provider's error by the reference that the provider gave it.
            models.Index(
                KeyTransform("error_id", "detail"),
                name="audit_of_error",
                condition=models.Q(detail__has_key="error_id"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_kind} {self.actor}"


class IssueCount(models.Model):
    """How often a caller read a connection's credential in one hour: counted, not one row a read."""

    connection_id = models.UUIDField()
    tenant_id = models.UUIDField()
    caller_id = models.UUIDField()
    hour = models.DateTimeField()
    reads = models.BigIntegerField()
    last_version = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection_id", "caller_id", "hour"], name="one_count_an_hour")]

    def __str__(self) -> str:
        return f"{self.reads} reads of {self.connection_id}"
