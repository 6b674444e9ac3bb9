"""Append a batch of audit events in one statement: what signed requests are known by at the provider."""

from django.db import connection

# One value to bind for the whole batch: the database takes it apart faster than we could put it together.
_ADD = """
    INSERT INTO tenants_auditevent (tenant_id, connection_id, at, actor_kind, actor, source, on_behalf_of,
                                    action, detail)
    SELECT r.tenant, r.connection, greatest(r.at, now() - interval '1 minute'), 'caller', r.caller, r.source,
           r.on_behalf_of, 'request.signed', jsonb_build_object('key_id', r.key_id, 'requests', r.requests)
    FROM jsonb_to_recordset(%s::jsonb) AS r(tenant uuid, connection uuid, at timestamptz, caller text, key_id text,
                                            source text, on_behalf_of text, requests jsonb)
"""


def add(batch: str) -> None:
    """Write an event for each entry of a JSON list: tenant, connection, caller, key_id, source, on_behalf_of, at,
    requests.

    What waited for long is written as of a minute ago, so that it is not of a day that is closed; each request has its
    own time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [batch])
