"""Tokens for further sets of scopes: make room, claim, store, postpone, tidy up. The database's clock decides.

As with slots, each is one conditional update. Nothing rotates here: a writer that lost its claim has lost nothing, and
its token is dropped.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from tenants.querysets.rows import affected, one_row, rows

# How long a row stays for which no token was ever made.
_EMPTY_FOR = "interval '1 hour'"
_ENDED = f"""
    (lease_until IS NULL OR lease_until < now())
    AND ((expires_at < now() AND used_at <= issued_at) OR expires_at < now() - interval '1 day'
         OR (issued_at IS NULL AND used_at < now() - {_EMPTY_FOR}))
"""
_TAKE = "lease_until = now() + %(lease)s * interval '1 second'"
_FREE = "(m.lease_until IS NULL OR m.lease_until < now())"
_RETURNING = "RETURNING m.id, m.connection_id, m.scopes, m.version, m.attempts"


@dataclass(frozen=True, slots=True, kw_only=True)
class MintClaim:
    """The right to make one token until the lease ends; the version proves it."""

    id: UUID
    connection_id: UUID
    scopes: tuple[str, ...]
    version: int
    attempts: int


def make_room(connection_id: UUID, scope_key: str, scopes: Sequence[str], *, most: int) -> bool:
    """Have a row for this set of scopes; False when the connection has as many sets as it may.

    Effects: at most one new row; rows that have ended go first when there is no room.
    """
    values = {"id": connection_id, "key": scope_key, "scopes": list(scopes), "most": most}
    with transaction.atomic():
        # Two at once wait for each other here, so that together they do not exceed what there may be.
        one_row("SELECT 1 FROM tenants_connection WHERE id = %(id)s FOR NO KEY UPDATE", values)
        if one_row("SELECT 1 FROM tenants_mintedtoken WHERE connection_id = %(id)s AND scope_key = %(key)s", values):
            return True
        affected(f"DELETE FROM tenants_mintedtoken WHERE connection_id = %(id)s AND {_ENDED}", values)  # noqa: S608
        return affected(
            """
            INSERT INTO tenants_mintedtoken
                (id, connection_id, scope_key, scopes, version, attempts, failure_class)
            SELECT gen_random_uuid(), %(id)s, %(key)s, %(scopes)s, 0, 0, ''
            WHERE (SELECT count(*) FROM tenants_mintedtoken WHERE connection_id = %(id)s) < %(most)s
            """,
            values,
        )


def claim(connection_id: UUID, scope_key: str, *, version: int, lease_seconds: float) -> MintClaim | None:
    """Claim a row that still has this version; None when it is held, has a newer one, or waits after a failure."""
    row = one_row(
        f"""
        UPDATE tenants_mintedtoken m SET {_TAKE}
        WHERE m.connection_id = %(id)s AND m.scope_key = %(key)s AND m.version <= %(version)s AND {_FREE}
          AND (m.attempts = 0 OR m.due_at <= now()) {_RETURNING}
        """,  # noqa: S608  constants of this module
        {"id": connection_id, "key": scope_key, "version": version, "lease": lease_seconds},
    )
    return _claim(row) if row else None


def claim_forced(connection_id: UUID, scope_key: str, *, version: int, lease_seconds: float) -> MintClaim | None:
    """As claim, because the token was refused: at most once a minute for one version."""
    row = one_row(
        f"""
        UPDATE tenants_mintedtoken m SET {_TAKE}, forced_version = m.version, forced_at = now()
        WHERE m.connection_id = %(id)s AND m.scope_key = %(key)s AND m.version = %(version)s AND {_FREE}
          AND (m.forced_version IS DISTINCT FROM m.version OR m.forced_at < now() - interval '60 seconds')
          {_RETURNING}
        """,  # noqa: S608  constants of this module
        {"id": connection_id, "key": scope_key, "version": version, "lease": lease_seconds},
    )
    return _claim(row) if row else None


def claim_due(*, lease_seconds: float) -> MintClaim | None:
    """Claim the token that is due first, of those that somebody has asked for since they were made."""
    row = one_row(
        f"""
        WITH due AS (
            SELECT t.id FROM tenants_mintedtoken t JOIN tenants_connection c ON c.id = t.connection_id
            WHERE t.due_at <= now() AND t.used_at > t.issued_at AND (t.lease_until IS NULL OR t.lease_until < now())
              AND c.state IN ('connected', 'degraded')
            ORDER BY t.due_at LIMIT 1 FOR UPDATE OF t SKIP LOCKED
        )
        UPDATE tenants_mintedtoken m SET {_TAKE} FROM due WHERE m.id = due.id {_RETURNING}
        """,  # noqa: S608  constants of this module
        {"lease": lease_seconds},
    )
    return _claim(row) if row else None


def next_version(claim: MintClaim) -> int:
    """Return the version to seal under: the clock's seconds, so that a row made anew goes on where the old one was."""
    row = one_row("SELECT greatest(%(version)s + 1, extract(epoch FROM now())::bigint)", {"version": claim.version})
    assert row is not None
    return int(row[0])


def store(
    claim: MintClaim, *, version: int, sealed: bytes, data_key_id: UUID, life: float | None, due: float | None
) -> bool:
    """Make this the row's token. False when another one was stored meanwhile, or the row is gone."""
    return affected(
        """
        UPDATE tenants_mintedtoken
        SET version = %(new)s, sealed = %(sealed)s, data_key_id = %(key)s, issued_at = now(),
            expires_at = now() + %(life)s * interval '1 second', due_at = now() + %(due)s * interval '1 second',
            lease_until = NULL, attempts = 0, failure_class = ''
        WHERE id = %(id)s AND version = %(version)s
        """,
        {
            "id": claim.id,
            "version": claim.version,
            "new": version,
            "sealed": sealed,
            "key": data_key_id,
            "life": life,
            "due": due,
        },
    )


def postpone(claim: MintClaim, *, failure: str, seconds: float) -> bool:
    """Record a failed attempt: nobody tries again before so many seconds have passed."""
    return affected(
        """
        UPDATE tenants_mintedtoken
        SET lease_until = NULL, attempts = attempts + 1, failure_class = %(failure)s,
            due_at = now() + %(seconds)s * interval '1 second'
        WHERE id = %(id)s AND version = %(version)s
        """,
        {"id": claim.id, "version": claim.version, "failure": failure, "seconds": seconds},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a set of scopes stands. Units: wait is the seconds until a failed one is tried again."""

    version: int
    held: bool
    failure: str
    wait: float
    came_of_a_report: bool


def standing(connection_id: UUID, scope_key: str) -> Standing | None:
    """Return how a set of scopes stands; None when there is no row for it."""
    row = one_row(
        """
        SELECT version, coalesce(lease_until > now(), false),
            CASE WHEN attempts > 0 THEN failure_class ELSE '' END,
            greatest(coalesce(extract(epoch FROM due_at - now()), 0), 0)::float8,
            coalesce(version > forced_version AND forced_at > now() - interval '60 seconds'
                AND issued_at >= forced_at, false)
        FROM tenants_mintedtoken WHERE connection_id = %(id)s AND scope_key = %(key)s
        """,
        {"id": connection_id, "key": scope_key},
    )
    if row is None:
        return None
    version, held, failure, wait, forced = row
    return Standing(version=version, held=held, failure=failure, wait=wait, came_of_a_report=forced)


def note_use(ids: Collection[UUID]) -> None:
    """Remember that these tokens are asked for. Effects: one statement, off the request's path."""
    # Sorted, so that two processes that write the same rows lock them in the same order.
    affected(
        """
        UPDATE tenants_mintedtoken SET used_at = now() WHERE id IN (
            SELECT id FROM tenants_mintedtoken WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE
        )
        """,
        {"ids": sorted(ids)},
    )


def purge() -> int:
    """Delete what has ended and nobody asks for. Returns how many rows."""
    return len(rows(f"DELETE FROM tenants_mintedtoken WHERE {_ENDED} RETURNING id", {}))  # noqa: S608


def _claim(row: tuple[object, ...]) -> MintClaim:
    id_, connection_id, scopes, version, attempts = row
    return MintClaim(
        id=id_,  # type: ignore[arg-type]
        connection_id=connection_id,  # type: ignore[arg-type]
        scopes=tuple(scopes),  # type: ignore[arg-type]
        version=version,  # type: ignore[arg-type]
        attempts=attempts,  # type: ignore[arg-type]
    )
