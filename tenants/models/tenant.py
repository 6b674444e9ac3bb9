"""A customer organisation."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Tenant(models.Model):
    """One customer organisation: its name on the connect page, its language, where its browsers may be sent back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    locale = models.CharField(max_length=10, default="en")
    return_urls = ArrayField(
        models.CharField(max_length=500),
        default=list,
        blank=True,
        help_text="Exact addresses that a connect session may return the browser to.",
    )
    contacts = ArrayField(
        models.EmailField(), default=list, blank=True, help_text="Who is asked to repair a connection."
    )
    deleted_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since then it is being taken down: nothing is served any more.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["slug"]
        indexes = [models.Index(fields=["id"], condition=~Q(deleted_at=None), name="tenant_ending")]

    def __str__(self) -> str:
        return self.name
