"""Rows that belong to a tenant are reached through `for_tenant`; the foreign and the absent look the same."""

from __future__ import annotations

from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import models

Row = TypeVar("Row", bound=models.Model)


class TenantQuerySet(models.QuerySet[Row]):
    """Rows with a tenant_id column."""

    def for_tenant(self, tenant_id: UUID) -> Self:
        return self.filter(tenant_id=tenant_id)

    def for_tenants(self, tenant_ids: Any) -> Self:
        """Narrow to these tenants; None stands for a caller that may see every tenant."""
        return self if tenant_ids is None else self.filter(tenant_id__in=tenant_ids)
