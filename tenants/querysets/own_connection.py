"""The statement that is asked for thousands of times a second: on the thread's own connection, in one call of libpq.

What psycopg's cursors and pool do around a statement costs more than the statement, and gives the interpreter away
half a dozen times, to threads that then hold it. Only the threads that answer hot routes have such a connection.
"""

import hashlib
import re
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, cast
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

from tenants.querysets import rows
from tenants.querysets.rows import Row

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class _Statement(NamedTuple):
    """A statement as the server wants it. Shape: names are the parameters, in the order of $1, $2 ..."""

    name: bytes
    text: bytes
    names: tuple[str, ...]


class _Link:
    """A connection, what is prepared on it, and what makes values of its results: that is learnt once."""

    def __init__(self) -> None:
        given = connections[DEFAULT_DB_ALIAS].get_connection_params()
        # One plan for all: each is a search by a key, whatever the values.
        given["options"] = f"{given.get('options', '')} -c timezone=UTC -c plan_cache_mode=force_generic_plan"
        self._connection = psycopg.connect(**given, autocommit=True)
        self._server = self._connection.pgconn
        self._values = Transformer(self._connection)
        self._prepared: set[bytes] = set()

    @property
    def broken(self) -> bool:
        return self._server.status != ConnStatus.OK

    def rows(self, statement: _Statement, parameters: Mapping[str, object]) -> list[Row]:
        """Raises psycopg.Error."""
        if statement.name not in self._prepared:
            self._accept(self._server.prepare(statement.name, statement.text), ExecStatus.COMMAND_OK)
            self._prepared.add(statement.name)
        # None is NULL, which the stubs of psycopg do not say.
        given = cast(list[bytes], [_text(parameters[name]) for name in statement.names])
        result = self._server.exec_prepared(statement.name, given, result_format=Format.BINARY)
        self._accept(result, ExecStatus.TUPLES_OK)
        self._values.set_pgresult(result, format=Format.BINARY)
        return self._values.load_rows(0, result.ntuples, tuple)

    def _accept(self, result: PGresult, expected: ExecStatus) -> None:
        if result.status != expected:
            raise errors.error_from_result(result)

    def close(self) -> None:
        self._connection.close()


class _Own(threading.local):
    """What a thread has: Django's handle, once it may have a connection of its own, and that connection."""

    django: Any = None
    link: _Link | None = None


_own = _Own()


def allow() -> Any:
    """Let this thread have a connection of its own from now on. Returns Django's handle for this thread.

    Effects: none yet.
    """
    if _own.django is None:
        _own.django = connections[DEFAULT_DB_ALIAS]
    return _own.django


def leave() -> None:
    """Give up this thread's own connection, and have it do without from now on."""
    _own.django = None
    _forget()


def row(sql: str, parameters: Mapping[str, Any]) -> Row | None:
    """As rows.prepared_row, for parameters that are text, ids, truth values or None."""
    found = rows_of(sql, parameters)
    return found[0] if found else None


def rows_of(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
    """As rows.prepared_rows, for such parameters."""
    if _own.django is None:
        return rows.prepared_rows(sql, parameters)
    try:
        return _rows(_statement(sql), parameters)
    except psycopg.Error:
        _forget()
        with connections[DEFAULT_DB_ALIAS].wrap_database_errors:
            raise


def _rows(statement: _Statement, parameters: Mapping[str, Any]) -> list[Row]:
    link = _own.link
    if link is not None:
        try:
            return link.rows(statement, parameters)
        except psycopg.Error as error:
            # The server may have been restarted, or its tables changed under the plan. A read may be repeated.
            if not (link.broken or isinstance(error, errors.FeatureNotSupported | errors.InvalidSqlStatementName)):
                raise
            _forget()
    link = _own.link = _Link()
    return link.rows(statement, parameters)


def _forget() -> None:
    link, _own.link = _own.link, None
    if link is not None:
        link.close()


@cache
def _statement(sql: str) -> _Statement:
    names = tuple(dict.fromkeys(_PLACEHOLDER.findall(sql)))
    text = _PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", sql)
    # A name of its own for each text, whichever thread comes first.
    name = f"hot_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    return _Statement(name.encode(), text.encode(), names)


def _text(value: object) -> bytes | None:
    """What the server reads: it knows the type by the place where the parameter stands."""
    if isinstance(value, str):
        if "\x00" in value:
            # libpq would send what stands before it.
            raise psycopg.DataError("text for PostgreSQL cannot contain NUL")
        return value.encode()
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    assert isinstance(value, UUID), type(value)
    return str(value).encode()
