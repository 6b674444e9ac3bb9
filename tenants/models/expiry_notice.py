"""Which ends to come somebody has been told of."""

from django.db import models
from django.db.models.functions import Now


class ExpiryNotice(models.Model):
    """One event told: of what (a connection or a registration), which kind of end, when, how many days ahead.

    tenant_id is empty for a registration that all tenants share. An end that moves has another day, so that what was
    told of the day before counts for nothing.
    """

    class Kind(models.TextChoices):
        IDLE = "idle", "the refresh token ends unless it is used"
        ABSOLUTE = "absolute", "the authorization reaches the longest life that the provider allows"
        ACCESS_TOKEN = "access_token", "the access token ends and cannot be renewed"
        CLIENT_SECRET = "client_secret", "the client secret ends"

    subject_id = models.UUIDField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    tenant_id = models.UUIDField(null=True)
    provider_id = models.CharField(max_length=64)
    ends_at = models.DateTimeField()
    ends_on = models.DateField()
    days = models.SmallIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "end to come"
        verbose_name_plural = "ends to come"
        constraints = [
            models.UniqueConstraint(fields=["subject_id", "kind", "ends_on", "days"], name="one_notice_a_threshold")
        ]
        indexes = [models.Index(fields=["ends_at"], name="notice_by_end")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.ends_on}"
