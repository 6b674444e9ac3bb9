"""Run one statement on Django's connection and hand back plain rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format
from psycopg_pool import ConnectionPool

Row = tuple[Any, ...]


def rows(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[Row] = cursor.fetchall()
        return found


def one_row(sql: str, parameters: Mapping[str, Any]) -> Row | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: Row | None = cursor.fetchone()
        return found


def prepared_row(sql: str, parameters: Mapping[str, Any]) -> Row | None:
    """As one_row, by a statement that PostgreSQL plans once: planning six joins costs more than running them."""
    found = prepared_rows(sql, parameters)
    return found[0] if found else None


def prepared_rows(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    """As rows, by a statement that PostgreSQL plans once.

    In a thread that has a connection, and perhaps a transaction, on that one. Otherwise on one that is borrowed from
    the pool for this statement alone: what Django does to take and return one costs more than the statement.
    """
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    if wrapper.connection is None and wrapper.pool is not None:
        with wrapper.wrap_database_errors:
            return _borrowed(wrapper.pool, sql, parameters)
    with _prepared_cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[Row] = cursor.fetchall()
        return found


def _borrowed(pool: ConnectionPool[psycopg.Connection[Row]], sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    pool.open()
    for left in range(pool.max_size, -1, -1):
        borrowed = pool.getconn()
        try:
            cursor = psycopg.Cursor(borrowed)
            cursor.format = Format.BINARY
            return cursor.execute(sql, parameters).fetchall()
        except psycopg.OperationalError:
            # One that died in the pool says nothing about the server, and a read may be repeated: at most once for
            # each that the pool can hold.
            if not borrowed.broken or not left:
                raise
        finally:
            pool.putconn(borrowed)
    raise AssertionError("unreachable")


def _prepared_cursor() -> CursorWrapper:
    """Return a cursor that prepares its statement, for this connection, from the threshold in DATABASES on.

    Django's own cursors bind on the client and never prepare; one bound by the server does. Binary results spare the
    parsing of bytes, ids and times from text.
    """
    connection.ensure_connection()
    bound: Any = psycopg.Cursor(connection.connection)
    bound.format = Format.BINARY
    make = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return make(bound)


def affected(sql: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether the statement changed a row: the count is the answer to every conditional update."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return bool(cursor.rowcount)


def database_now() -> datetime:
    """Return the database's clock: the only one that leases, due times and expiries go by."""
    row = one_row("SELECT now()", {})
    assert row is not None
    now: datetime = row[0]
    return now
