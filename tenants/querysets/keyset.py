"""Rows in pages, newest first, each page found by an index from where the one before ended."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import BooleanField, F, Func, Model, QuerySet, Value

Row = TypeVar("Row", bound=Model)
# The created_at and id of a row.
Place = tuple[datetime, UUID]


def after(rows: QuerySet[Row], place: Place | None) -> QuerySet[Row]:
    """Return the rows that come after this place, or all of them, newest first."""
    rows = rows.order_by("-created_at", "-id")
    return rows if place is None else rows.filter(_before(*place))


def _before(at: datetime, row_id: UUID) -> Func:
    # Rows are compared whole: only so does an index begin in the middle of many that were made at one instant.
    place = Func(F("created_at"), F("id"), function="ROW", output_field=BooleanField())
    end = Func(Value(at), Value(row_id), function="ROW", output_field=BooleanField())
    return Func(place, end, template="(%(expressions)s)", arg_joiner=" < ", output_field=BooleanField())
