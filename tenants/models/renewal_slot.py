"""When a connection is renewed next, and who holds it: narrow and hot."""

from django.db import models
from django.db.models import Q

from tenants.models.connection import Connection


class RenewalSlot(models.Model):
    """Written only by the statements of querysets/slots.py: the database's clock decides leases and due times.

    intent is `claimed` once a worker holds the slot and `sending` from just before the request leaves: a lease that
    ends in `sending` means that the provider may have rotated the refresh token (uncertain_at). lease_owner names the
    process that holds the slot, empty when nobody does; it stays behind when that process dies, and tells who died.
    tenant_id and registration_id are the connection's, copied here so that a claim can be fair without a join.
    """

    class State(models.TextChoices):
        SCHEDULED = "scheduled"
        PARKED = "parked"

    connection = models.OneToOneField(Connection, primary_key=True, on_delete=models.CASCADE, related_name="slot")
    tenant_id = models.UUIDField()
    registration_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PARKED)
    due_at = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    intent = models.CharField(max_length=8, blank=True, default="")
    intent_at = models.DateTimeField(null=True)
    uncertain_at = models.DateTimeField(null=True)
    suspect_version = models.BigIntegerField(null=True)
    forced_version = models.BigIntegerField(null=True)
    forced_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    failure_class = models.CharField(max_length=30, blank=True, default="")
    failed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="scheduled"), name="slot_due"),
            models.Index(
                fields=["registration_id", "tenant_id", "due_at"], condition=Q(state="scheduled"), name="slot_lanes"
            ),
            models.Index(fields=["lease_owner"], condition=~Q(lease_owner=""), name="slot_leases"),
        ]

    def __str__(self) -> str:
        return f"slot of {self.connection_id} fence {self.fence}"
