"""Who did what."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Now


class AuditEvent(models.Model):
    """Append only: a database trigger refuses UPDATE and DELETE. Plain ids, so that no cascade reaches it.

    on_behalf_of is the user for whom a caller says that it acts: an id of the caller's own, and its word alone.
    """

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
    source = models.CharField(max_length=45, blank=True, default="", db_default="")
    on_behalf_of = models.CharField(max_length=64, blank=True, default="", db_default="")
    detail = models.JSONField(default=dict)

    class Meta:
        permissions = [("export_audit", "Can export a tenant's audit log")]
        indexes = [
            models.Index(fields=["connection_id", "-id"], name="audit_of_connection"),
            # A timeline leaves out what was signed, which outnumbers all else by far.
            models.Index(
                fields=["connection_id", "-id"], name="audit_of_timeline", condition=~Q(action="request.signed")
            ),
            models.Index(fields=["tenant_id", "-id"], name="audit_of_tenant"),
            # Rows come in the order of their times, so a few bytes a megabyte tell where a day is.
            BrinIndex(fields=["at"], name="audit_by_time", autosummarize=True),
            models.Index(fields=["id"], name="audit_of_purges", condition=Q(action="audit.reads_purged")),
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
    """How often a key read one version of a connection's credential in one hour, from where, and on whose behalf.

    Counted, not one row a read. fingerprint is a keyed hash of what was handed out: it tells two tokens apart, and a
    token that is found somewhere can be matched, but nothing leads back to it.
    hour is when the count was written, first_at and last_at are when it was read: nothing is added to a past hour.
    minted_id names the token among those for sets of scopes, whose versions are numbers of their own.
    """

    connection_id = models.UUIDField()
    tenant_id = models.UUIDField()
    caller_id = models.UUIDField()
    key_id = models.CharField(max_length=40, default="", db_default="")
    source = models.CharField(max_length=45, default="", db_default="")
    on_behalf_of = models.CharField(max_length=64, default="", db_default="")
    version = models.BigIntegerField()
    minted_id = models.UUIDField(null=True)
    fingerprint = models.BinaryField(null=True)
    hour = models.DateTimeField()
    reads = models.BigIntegerField()
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "connection_id",
                    "caller_id",
                    "hour",
                    "key_id",
                    "source",
                    "on_behalf_of",
                    "version",
                    "minted_id",
                ],
                name="one_count_an_hour",
                nulls_distinct=False,
            )
        ]
        indexes = [
            models.Index(fields=["key_id", "hour"], name="reads_by_key"),
            models.Index(fields=["tenant_id", "hour"], name="reads_of_tenant"),
            BrinIndex(fields=["hour"], name="reads_by_hour", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.reads} reads of {self.connection_id}"


class AuditDay(models.Model):
    """One day (UTC) of the audit log, closed: a keyed hash over its events and reads and over the day before.

    Append only as the events are. Whoever changes, adds or takes away a row of a closed day, or a day, is found out
    by the command verify_audit unless they also hold the key.
    events and reads are how many rows there were. Their digests stand beside the day's own, so that the chain can be
    followed after reads have been deleted as too old. key_version is the id of the data key.
    """

    day = models.DateField(primary_key=True)
    events = models.BigIntegerField()
    reads = models.BigIntegerField()
    previous = models.BinaryField()
    events_digest = models.BinaryField()
    reads_digest = models.BinaryField()
    digest = models.BinaryField()
    key_version = models.CharField(max_length=32)
    sealed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"audit of {self.day}"
