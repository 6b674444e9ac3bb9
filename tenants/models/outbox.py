"""What changed, for whoever is told."""

from django.db import models
from django.db.models.functions import Now


class OutboxEvent(models.Model):
    """Written in the transaction of the change; transitions, not attempts. Holds no secret.

    tenant_id is empty for what is no tenant's: a client registration that all share.
    """

    tenant_id = models.UUIDField(null=True, db_index=True)
    connection_id = models.UUIDField(null=True, db_index=True)
    type = models.CharField(max_length=60)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"{self.type} of {self.connection_id}"
