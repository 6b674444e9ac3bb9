"""Append a batch of audit events in one statement: what signed requests are known by at the provider."""

from django.db import connection

# One value to bind for the whole batch: the database takes it apart faster than we could put it together.
_ADD = """
    INSERT INTO tenants_auditevent (tenant_id, connection_id, at, actor_kind, actor, action, detail)
    SELECT r.tenant, r.connection, r.at, 'caller', r.caller, 'request.signed',
           jsonb_build_object('requests', r.requests)
    FROM jsonb_to_recordset(%s::jsonb) AS r(tenant uuid, connection uuid, at timestamptz, caller text, requests jsonb)
"""


def add(batch: str) -> None:
    """Effects: one row for each entry of the JSON list: tenant, connection, caller, at, and the requests' names."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [batch])
