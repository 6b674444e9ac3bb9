"""Commit renewed credentials: slot, credential and audit event of many connections in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenants.querysets.rows import rows

_COMMIT = """
    WITH new AS (
        SELECT * FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(sealed)s::bytea[], %(keys)s::uuid[],
            %(fingerprints)s::bytea[], %(lives)s::float8[], %(dues)s::float8[])
            AS n (id, fence, sealed, data_key_id, fingerprint, life, due)
    ), won AS (
        UPDATE tenants_renewalslot s
        SET intent = '', intent_at = NULL, uncertain_at = NULL, suspect_version = NULL, lease_until = NULL,
            lease_owner = '', attempts = 0, failure_class = '', failed_at = NULL,
            due_at = now() + n.due * interval '1 second',
            state = CASE WHEN n.due IS NULL THEN 'parked' ELSE 'scheduled' END
        FROM new n WHERE s.connection_id = n.id AND s.fence = n.fence
        RETURNING n.*
    ), stored AS (
        INSERT INTO tenants_credential AS c
            (connection_id, version, sealed, data_key_id, refresh_fingerprint, issued_at, grant_issued_at, expires_at)
        SELECT id, fence, sealed, data_key_id, fingerprint, now(), now(), now() + life * interval '1 second' FROM won
        ON CONFLICT (connection_id) DO UPDATE SET
            previous_version = c.version, previous_sealed = c.sealed, previous_data_key_id = c.data_key_id,
            version = excluded.version, sealed = excluded.sealed, data_key_id = excluded.data_key_id,
            refresh_fingerprint = excluded.refresh_fingerprint, issued_at = now(), expires_at = excluded.expires_at
        -- The same pair a second time, after a commit whose end was not heard, leaves what came before it alone.
        WHERE c.version <> excluded.version
    ), told AS (
        INSERT INTO tenants_auditevent (tenant_id, connection_id, actor_kind, actor, action, detail)
        SELECT k.tenant_id, k.id, 'system', '', 'credential.renewed', jsonb_build_object('version', w.fence)
        FROM won w JOIN tenants_connection k ON k.id = w.id
    )
    SELECT w.id, k.state, k.reason, to_json(k.scopes_granted)::text
    FROM won w JOIN tenants_connection k ON k.id = w.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPair:
    """One renewed credential, sealed for the version that its fence gives. Units: life and due in seconds."""

    connection_id: UUID
    fence: int
    sealed: bytes
    data_key_id: UUID
    fingerprint: bytes | None
    life_seconds: float | None
    due_in_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a connection stood in the moment of the commit."""

    state: str
    reason: str
    scopes_granted: tuple[str, ...]


def commit(pairs: Sequence[NewPair]) -> dict[UUID, Standing]:
    """Return how those connections stand whose pair is stored now; one whose fence was lost is not among them.

    Effects: all in one statement, and so in one commit: slot, credential, audit event.
    """
    if not pairs:
        return {}
    found = rows(
        _COMMIT,
        {
            "ids": [pair.connection_id for pair in pairs],
            "fences": [pair.fence for pair in pairs],
            "sealed": [pair.sealed for pair in pairs],
            "keys": [pair.data_key_id for pair in pairs],
            "fingerprints": [pair.fingerprint for pair in pairs],
            "lives": [pair.life_seconds for pair in pairs],
            "dues": [pair.due_in_seconds for pair in pairs],
        },
    )
    return {connection_id: _standing(*rest) for connection_id, *rest in found}


def standing(connection_id: UUID, fence: int) -> Standing | None:
    """Return how a connection stands that this pair was stored for already; None when it never was.

    For a commit of which nobody heard how it ended: the pair may even have been renewed since.
    """
    found = rows(
        """
        SELECT k.state, k.reason, to_json(k.scopes_granted)::text
        FROM tenants_credential c JOIN tenants_connection k ON k.id = c.connection_id
        WHERE c.connection_id = %(id)s AND %(fence)s IN (c.version, c.previous_version)
        """,
        {"id": connection_id, "fence": fence},
    )
    return _standing(*found[0]) if found else None


def _standing(state: str, reason: str, scopes: str) -> Standing:
    return Standing(state=state, reason=reason, scopes_granted=tuple(json.loads(scopes)))
