"""The columns of a hand-out for many connections in one query; and of those that are kept, whether they changed."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tenants.querysets import own_connection
from tenants.querysets.hand_out import JOINS, REST, TENANT_ALLOWED, HandOut, Known, Named, known, matches_of
from tenants.querysets.rows import Row, prepared_rows

# The transactions that wrote the four rows: any change of one of them is by another. None when a row is missing.
_STAMP = "co.xmin::text || ' ' || rg.xmin::text || ' ' || cr.xmin::text || ' ' || dk.xmin::text"
_ASKED = "unnest(string_to_array(%(ids)s::text, ' ')::uuid[]) WITH ORDINALITY AS asked (id, place)"
# Each row ends with the place at which it was asked for.
_BY_ID = f"""
    SELECT {REST}, 1, {_STAMP}, asked.place FROM {_ASKED}
    LEFT JOIN tenants_connection co ON co.id = asked.id {JOINS}
"""  # noqa: S608  constants of this module
_BY_NAME = f"""
    SELECT {REST}, matches.count, {_STAMP}, asked.place
    FROM unnest(%(tenants)s::text[], %(providers)s::text[], %(labels)s::text[])
        WITH ORDINALITY AS asked (tenant, provider, label, place)
    CROSS JOIN LATERAL ({matches_of("asked.tenant", "asked.provider", "asked.label")}) matches
    LEFT JOIN tenants_connection co ON co.id = matches.id {JOINS}
"""  # noqa: S608  constants of this module
_STANDING = f"""
    SELECT {_STAMP}, {TENANT_ALLOWED}, extract(epoch FROM cr.expires_at - now())::float8, asked.place FROM {_ASKED}
    LEFT JOIN tenants_connection co ON co.id = asked.id {JOINS}
"""  # noqa: S608  constants of this module


class Standing(NamedTuple):
    """Whether a connection is as it was: with an equal stamp, all columns of its HandOut are but for these.

    Shape: stamp is None for a connection that lacks something, or is not there.
    """

    stamp: str | None
    tenant_allowed: bool
    seconds_left: float | None


def standings(key: Known, ids: Sequence[str]) -> list[Standing]:
    """Return how each of these connections stands, in that order. Effects: one query."""
    found: list[Standing] = [_ABSENT] * len(ids)
    for row in own_connection.rows_of(_STANDING, {"ids": " ".join(ids), **key.parameters}):
        found[row[3] - 1] = Standing._make(row[:3])
    return found


_ABSENT = Standing(None, False, None)


def for_many(key: HandOut, asked: Sequence[Named]) -> list[HandOut]:
    """Return a row for each that is asked for, in that order, for the caller of `key`.

    Effects: one query for those that are named by id, one for the others.
    """
    columns, caller = known(key)
    found: list[HandOut] = [key] * len(asked)
    by_id = [place for place, named in enumerate(asked) if named.connection_id is not None]
    by_name = [place for place, named in enumerate(asked) if named.connection_id is None]
    if by_id:
        ids = " ".join(str(asked[place].connection_id) for place in by_id)
        _place(found, by_id, columns, own_connection.rows_of(_BY_ID, {"ids": ids, **caller}))
    if by_name:
        values = {
            "tenants": [asked[place].tenant for place in by_name],
            "providers": [asked[place].provider for place in by_name],
            "labels": [asked[place].label for place in by_name],
        }
        _place(found, by_name, columns, prepared_rows(_BY_NAME, {**values, **caller}))
    return found


def _place(found: list[HandOut], places: Sequence[int], columns: tuple[Any, ...], rows: Iterable[Row]) -> None:
    for row in rows:
        found[places[row[-1] - 1]] = HandOut._make((*columns, *row[:-2], None, None, row[-2]))
