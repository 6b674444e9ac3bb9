"""Answers that are given again when a caller repeats a request."""

from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from tenants.models.caller import Caller
from tenants.models.data_key import DataKey
from tenants.vault import SealContext


class IdempotentRequest(models.Model):
    """One request that carried an Idempotency-Key, and what it was answered.

    fingerprint is a hash of method, path and body: the same key with another request is a mistake. status is empty
    while the first one is at work. The answer is sealed, because it may hold a link or a secret that is shown once.
    """

    caller = models.ForeignKey(Caller, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField()
    status = models.SmallIntegerField(null=True)
    sealed = models.BinaryField(null=True)
    data_key = models.ForeignKey(DataKey, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="one_answer_a_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_by_age")]

    def __str__(self) -> str:
        return f"answer to {self.key}"

    def seal_context(self) -> SealContext:
        return SealContext(tenant_id=None, row_id=UUID(int=self.pk), field="idempotent_answer")
