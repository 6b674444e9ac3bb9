"""The bare floor: the least that handing out a token could cost, as a WSGI callable of its own.

One prepared SELECT, one unseal by the broker's own vault, and the same bytes as the broker answers. No key is looked
at, nobody is asked whether they may, nothing is counted. Served by the same command as the broker, with the same pool
of connections; `?bare` does without the pool too.
"""

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
django.setup()

# Only now: models can be imported only when Django's apps are ready.
import msgspec  # noqa: E402
import psycopg  # noqa: E402
from django.db import connection as database  # noqa: E402
from psycopg.pq import Format  # noqa: E402

from broker.services import credentials  # noqa: E402
from tenants.models.credential import credential_context  # noqa: E402
from tenants.vault import WrappedKey  # noqa: E402

_SELECT = """
    SELECT co.tenant_id, cr.sealed, cr.version, cr.expires_at, dk.id, dk.kek_version, dk.wrapped
    FROM tenants_connection co JOIN tenants_credential cr ON cr.connection_id = co.id
    JOIN tenants_datakey dk ON dk.id = cr.data_key_id WHERE co.id = %s
"""
_BASE_URL = "https://eaccountingapi.vismaonline.com/v2"
_PREFIX = len("/v1/connections/")
_own = threading.local()
_decode, _encode = msgspec.json.decode, msgspec.json.encode
StartResponse = Callable[[str, list[tuple[str, str]]], object]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    row = _row_without_pool if environ["QUERY_STRING"] else _row
    body = b"ready" if path == "/readyz" else _token(UUID(path[_PREFIX : _PREFIX + 36]), row)
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def _token(connection_id: UUID, row: Callable[[UUID], tuple[Any, ...]]) -> bytes:
    """Return the answer for one connection, letter by letter as the broker gives it."""
    tenant_id, sealed, version, expires_at, key_id, kek_version, wrapped = row(connection_id)
    key = WrappedKey(id=key_id, tenant_id=tenant_id, kek_version=kek_version, wrapped=wrapped)
    held = _decode(credentials.vault().open(key, credential_context(tenant_id, connection_id, version), sealed))
    scope = " ".join(held["scope"])
    return _encode(
        {
            "connection_id": connection_id,
            "access_token": held["access_token"],
            "token_type": held["token_type"],
            "expires_at": expires_at,
            "scope": scope,
            "scope_asked": scope,
            "scope_missing": "",
            "version": version,
            "base_url": _BASE_URL,
            "headers": {"Authorization": f"Bearer {held['access_token']}"},
            "degraded": None,
        }
    )


def _row(connection_id: UUID) -> tuple[Any, ...]:
    pool = database.pool  # type: ignore[attr-defined]
    if pool.closed:
        pool.open()
    link = pool.getconn()
    try:
        return _execute(psycopg.Cursor(link), connection_id)
    finally:
        pool.putconn(link)


def _row_without_pool(connection_id: UUID) -> tuple[Any, ...]:
    if not hasattr(_own, "cursor"):
        link = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0)
        _own.cursor = psycopg.Cursor(link)
    return _execute(_own.cursor, connection_id)


def _execute(cursor: psycopg.Cursor, connection_id: UUID) -> tuple[Any, ...]:
    cursor.format = Format.BINARY
    row = cursor.execute(_SELECT, (connection_id,)).fetchone()
    assert row is not None
    return row
