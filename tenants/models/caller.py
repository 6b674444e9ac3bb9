"""Internal services that call the API, and their keys."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from tenants.models.tenant import Tenant


class Operation(models.TextChoices):
    """What a caller may be allowed to do. Nothing is allowed that is not listed on the caller."""

    TOKEN_READ = "token.read", "read access tokens and report failures"
    CONNECTION_READ = "connection.read", "see connections"
    CONNECT_CREATE = "connect.create", "make connect links"
    CONNECTION_MANAGE = "connection.manage", "disconnect"


class Caller(models.Model):
    """An internal service. ("Client" keeps its OAuth meaning.)"""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    operations = ArrayField(models.CharField(max_length=32, choices=Operation.choices), default=list)
    all_tenants = models.BooleanField(default=False)
    tenants = models.ManyToManyField(Tenant, blank=True, related_name="callers")
    providers = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        help_text="Empty: every provider.",
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """One key of a caller: its id in clear, its secret only as a SHA-256 hash (the secret has 256 random bits)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    caller = models.ForeignKey(Caller, on_delete=models.CASCADE, related_name="api_keys")
    key_id = models.CharField(max_length=16, unique=True)
    secret_hash = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.key_id
