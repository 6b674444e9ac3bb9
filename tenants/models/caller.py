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
    EVENT_READ = "event.read", "read events"
    WEBHOOK_MANAGE = "webhook.manage", "manage webhook endpoints of its own"
    METRICS_READ = "metrics.read", "read metrics of the whole broker"


class Caller(models.Model):
    """An internal service. ("Client" keeps its OAuth meaning.)"""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    purpose = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="What it reads tokens for, in a few words: tenants find it in their audit export.",
    )
    operations = ArrayField(models.CharField(max_length=32, choices=Operation.choices), default=list)
    all_tenants = models.BooleanField(default=False)
    tenants = models.ManyToManyField(Tenant, blank=True, related_name="callers")
    providers = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        help_text="Empty: every provider.",
    )
    rate_per_minute = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Requests a minute, over all web processes. 0: the setting's default."
    )
    connections_per_hour = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="How many different connections one key may read in an hour. 0: ten times what is usual for it.",
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TrustedIssuer(models.Model):
    """Who vouches for workloads by signed tokens (JWTs): a Kubernetes cluster, a cloud, a SPIFFE trust domain.

    Everything that a token is checked against is pinned here; its own header chooses nothing but the key.
    The keys are those of jwks where it is set, else those at jwks_uri.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    issuer = models.CharField(max_length=300, unique=True, help_text="The `iss` of its tokens, letter by letter.")
    audience = models.CharField(max_length=300, help_text="What `aud` must hold: this broker's name at the issuer.")
    algorithms = ArrayField(models.CharField(max_length=10), help_text="Signature algorithms that are accepted.")
    jwks_uri = models.CharField(max_length=500, blank=True)
    jwks = models.JSONField(null=True, blank=True, help_text="Pinned public keys (RFC 7517), instead of an address.")
    max_life_seconds = models.PositiveIntegerField(
        default=3600, help_text="Tokens that live longer than this are refused."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """One way in for a caller: a key, or the subject of a trusted issuer. What both have stands in one row.

    A key: its id in clear, its secret only as a SHA-256 hash (the secret has 256 random bits).
    A workload identity has issuer and subject; key_id and secret_hash are made from those two, so that who proved
    them is looked up, limited, counted and revoked as a key is. Its key_id has a form that no key can have.
    networks are the source networks that it may come from (CIDR); none: any.
    throttled_until: it read more connections than it may, and is turned away until then.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    caller = models.ForeignKey(Caller, on_delete=models.CASCADE, related_name="api_keys")
    key_id = models.CharField(max_length=40, unique=True)
    secret_hash = models.BinaryField()
    issuer = models.ForeignKey(TrustedIssuer, null=True, blank=True, on_delete=models.CASCADE, related_name="subjects")
    subject = models.CharField(max_length=300, blank=True, default="", db_default="")
    networks = ArrayField(models.CharField(max_length=43), default=list, db_default=[], blank=True)
    throttled_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.key_id


class CallerMinute(models.Model):
    """How many requests of a caller one web process took in one minute: so that all of them keep one limit.

    Unlogged: after a crash of the database a minute begins anew, which harms nobody.
    """

    caller_id = models.UUIDField()
    minute = models.DateTimeField()
    process = models.UUIDField()
    used = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller_id", "minute", "process"], name="one_count_a_minute"),
        ]

    def __str__(self) -> str:
        return f"{self.used} requests of {self.caller_id} at {self.minute}"
