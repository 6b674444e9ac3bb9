"""Keyset pages: a cursor says after which row to go on, so that no page costs more than the first."""

import base64
import binascii
import json
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from broker.errors import InvalidRequest
from tenants.models import Connection
from tenants.querysets.scoped import TenantQuerySet


def page(rows: TenantQuerySet[Connection], cursor: str | None, limit: int) -> tuple[list[Connection], str | None]:
    """Return one page, newest first, and the cursor of the next. Raises InvalidRequest for a cursor of no page."""
    if cursor:
        at, row_id = _decode(cursor)
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, id__gt=row_id))
    found = list(rows.order_by("-created_at", "id")[: limit + 1])
    more = len(found) > limit
    return found[:limit], _encode(found[limit - 1]) if more else None


def _encode(row: Connection) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.created_at.isoformat(), str(row.id)]).encode()).decode()


def _decode(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, row_id = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(row_id)
    except (binascii.Error, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InvalidRequest("cursor is not one that this API gave") from None
