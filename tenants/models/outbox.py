"""What changed, and who is told: events, webhook endpoints, deliveries."""

import uuid
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from tenants.models.caller import Caller
from tenants.models.data_key import DataKey
from tenants.vault import SealContext


class OutboxEvent(models.Model):
    """Written in the transaction of the change; transitions, not attempts. Holds no secret.

    tenant_id is empty for what is no tenant's: a client registration that all share, a caller.
    position is given when it is published, by one publisher at a time: whoever has read up to a position misses
    nothing, and a connection's events are in the order in which they happened. Below zero: an endpoint's test, which
    is in nobody's list. With the position, the payload gets what the event's receivers are told besides.
    """

    uid = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    tenant_id = models.UUIDField(null=True)
    connection_id = models.UUIDField(null=True)
    type = models.CharField(max_length=60)
    payload = models.JSONField(default=dict)
    position = models.BigIntegerField(null=True, unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(position=None), name="event_to_publish"),
            models.Index(fields=["tenant_id", "position"], name="event_of_tenant"),
            models.Index(fields=["connection_id", "position"], name="event_of_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.connection_id}"


class WebhookEndpoint(models.Model):
    """Where a caller wants to be told of what it may see. types empty: every type.

    The signing secrets are one sealed list, newest last; all but the newest end at previous_secrets_end_at.
    failures counts the tries since something was accepted, failing_since is the first of them; after several,
    nothing is sent before paused_until.
    """

    class DisabledBecause(models.TextChoices):
        NOT = "", ""
        CALLER = "caller", "its caller disabled it"
        GONE = "gone", "it answered 410"
        FAILING = "failing", "nothing was accepted for days"
        STAFF = "staff", "staff disabled it"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    caller = models.ForeignKey(Caller, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    types = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    sealed_secrets = models.BinaryField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT, related_name="+")
    previous_secrets_end_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_because = models.CharField(max_length=10, choices=DisabledBecause.choices, blank=True, default="")

    class Meta:
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        # Not the whole address: some receivers take a secret in it.
        return urlsplit(self.url).hostname or ""

    def seal_context(self) -> SealContext:
        return SealContext(tenant_id=None, row_id=self.id, field="webhook_secrets")


class WebhookDelivery(models.Model):
    """One event for one endpoint, until it is accepted or given up.

    tries is a short list of {at, status or error, ms}: the answers' bodies are not kept.
    order_key is shared by what has to arrive in order (a connection's events, a registration's): the next is sent
    only when the one before has ended. attempts is also the fence: who sent an earlier one says nothing any more.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waits for its turn, or for the next try"
        DELIVERED = "delivered", "accepted"
        GIVEN_UP = "given_up", "not accepted within three days"
        DROPPED = "dropped", "the endpoint was disabled or deleted"

    uid = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    order_key = models.UUIDField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    tries = models.JSONField(default=list)
    replayed = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["endpoint", "due_at"], condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=["endpoint", "order_key", "id"], condition=Q(state="waiting"), name="delivery_order"),
            models.Index(fields=["endpoint", "-id"], name="delivery_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"delivery of {self.event_id} to {self.endpoint_id} ({self.state})"
