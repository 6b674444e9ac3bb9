"""Keyset pages: a cursor says after which row to go on, so that no page costs more than the first."""

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from ninja import Query

from broker.errors import InvalidRequest
from tenants.querysets.keyset import Place, after

Row = TypeVar("Row", bound=Model)
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most on one page.")]
Cursor = Annotated[str, Query(description="The next_cursor of the page before; without it, the first page.")]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Microseconds, which is what the database counts in, and an id.
_FORM = struct.Struct(">q16s")


def page(rows: QuerySet[Row], cursor: str, limit: int) -> tuple[list[Row], str | None]:
    """Return one page, newest first, and the cursor of the next. Raises InvalidRequest for a cursor of no page.

    Shape:  the rows have created_at and a UUID as id.
    """
    found = list(after(rows, place_of(cursor))[: limit + 1])
    more = len(found) > limit
    return found[:limit], cursor_of(*_place(found[limit - 1])) if more else None


def _place(row: Model) -> Place:
    return row.created_at, row.pk  # type: ignore[attr-defined]


def cursor_of(at: datetime, row_id: UUID) -> str:
    """Return the cursor that goes on after this row."""
    return base64.urlsafe_b64encode(_FORM.pack((at - _EPOCH) // timedelta(microseconds=1), row_id.bytes)).decode()


def place_of(cursor: str) -> Place | None:
    """Return the row that a cursor goes on after; None for the first page. Raises InvalidRequest."""
    if not cursor:
        return None
    try:
        at, row_id = _FORM.unpack(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
        return _EPOCH + timedelta(microseconds=at), UUID(bytes=row_id)
    except (binascii.Error, struct.error, ValueError, OverflowError):
        raise InvalidRequest("cursor is not one that this API gave") from None
