"""Claims on renewal slots: the right to renew one connection until a moment. Each is one statement.

Two workers cannot both win a claim, and a worker that lost its lease cannot write: every later statement names the
fence it was given. The database's clock decides; no caller's clock takes part.
"""

from dataclasses import dataclass
from uuid import UUID

from tenants.querysets.rows import Row, one_row

FREE = "(s.lease_until IS NULL OR s.lease_until < now())"
# A lease that ended while `sending` means that the provider may have rotated the refresh token already.
TAKE = """
    lease_owner = %(owner)s, lease_until = now() + %(lease)s * interval '1 second', fence = s.fence + 1,
    uncertain_at = CASE WHEN s.intent = 'sending' THEN coalesce(s.uncertain_at, s.intent_at) ELSE s.uncertain_at END,
    intent = 'claimed', intent_at = now()
"""
COLUMNS = """
    s.connection_id, s.tenant_id, s.registration_id, s.fence, extract(epoch FROM now() - s.uncertain_at)::float8,
    s.suspect_version, s.attempts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to renew one connection until the lease ends. The fence proves it at every write.

    Units: uncertain_for is how many seconds ago a request left whose answer nobody heard; None when there is none.
    """

    connection_id: UUID
    tenant_id: UUID
    registration_id: UUID
    fence: int
    uncertain_for: float | None
    suspect_version: int | None
    attempts: int

    @property
    def uncertain(self) -> bool:
        """Tell whether the provider may have rotated the refresh token, unheard."""
        return self.uncertain_for is not None


def claim_one(connection_id: UUID, *, owner: str, lease_seconds: float) -> Claim | None:
    """Claim this connection's slot, due or not; None when it is held, parked or absent."""
    sql = f"""
        UPDATE tenants_renewalslot s SET {TAKE}
        WHERE s.connection_id = %(id)s AND s.state = 'scheduled' AND {FREE}
        RETURNING {COLUMNS}
    """  # noqa: S608  constants of this module
    row = one_row(sql, {"id": connection_id, "owner": owner, "lease": lease_seconds})
    return as_claim(row) if row else None


def claim_forced(connection_id: UUID, version: int, *, owner: str, lease_seconds: float) -> Claim | None:
    """As claim_one, but at most once a minute for one credential version: a storm of reports makes one request."""
    sql = f"""
        UPDATE tenants_renewalslot s SET {TAKE}, forced_version = %(version)s, forced_at = now()
        WHERE s.connection_id = %(id)s AND s.state = 'scheduled' AND {FREE}
          AND (s.forced_version IS DISTINCT FROM %(version)s OR s.forced_at < now() - interval '60 seconds')
        RETURNING {COLUMNS}
    """  # noqa: S608  constants of this module
    parameters = {"id": connection_id, "version": version, "owner": owner, "lease": lease_seconds}
    row = one_row(sql, parameters)
    return as_claim(row) if row else None


def claim_probe(connection_id: UUID, version: int, *, owner: str, lease_seconds: float) -> Claim | None:
    """As claim_forced, for a slot that is parked because there is nothing to renew: only somebody to ask."""
    sql = f"""
        UPDATE tenants_renewalslot s SET {TAKE}, forced_version = %(version)s, forced_at = now(), failure_class = ''
        WHERE s.connection_id = %(id)s AND {FREE}
          AND (s.forced_version IS DISTINCT FROM %(version)s OR s.forced_at < now() - interval '60 seconds')
        RETURNING {COLUMNS}
    """  # noqa: S608  constants of this module
    parameters = {"id": connection_id, "version": version, "owner": owner, "lease": lease_seconds}
    row = one_row(sql, parameters)
    return as_claim(row) if row else None


def as_claim(row: Row) -> Claim:
    """Return the claim of a row of COLUMNS."""
    connection_id, tenant_id, registration_id, fence, uncertain_for, suspect_version, attempts = row
    return Claim(
        connection_id=connection_id,
        tenant_id=tenant_id,
        registration_id=registration_id,
        fence=fence,
        uncertain_for=uncertain_for,
        suspect_version=suspect_version,
        attempts=attempts,
    )
