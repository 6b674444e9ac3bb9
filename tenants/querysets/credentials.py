"""Write one credential version: the current one becomes the previous one in the same statement."""

from uuid import UUID

from tenants.querysets.rows import affected


def store(
    connection_id: UUID,
    *,
    version: int,
    sealed: bytes,
    data_key_id: UUID,
    refresh_fingerprint: bytes | None,
    life_seconds: float | None,
    new_grant: bool = False,
) -> None:
    """Effects: one row. The database's clock gives its times, so that no worker's clock matters.

    new_grant: the customer has authorized anew, so grant_issued_at starts again; a renewal keeps it.
    """
    affected(
        """
        INSERT INTO tenants_credential AS c
            (connection_id, version, sealed, data_key_id, refresh_fingerprint, issued_at, grant_issued_at, expires_at)
        VALUES (%(id)s, %(version)s, %(sealed)s, %(key)s, %(fingerprint)s,
            now(), now(), now() + %(life)s * interval '1 second')
        ON CONFLICT (connection_id) DO UPDATE SET
            previous_version = c.version, previous_sealed = c.sealed, previous_data_key_id = c.data_key_id,
            version = excluded.version, sealed = excluded.sealed, data_key_id = excluded.data_key_id,
            refresh_fingerprint = excluded.refresh_fingerprint, issued_at = now(), expires_at = excluded.expires_at,
            grant_issued_at = CASE WHEN %(new_grant)s THEN now() ELSE c.grant_issued_at END
        """,
        {
            "id": connection_id,
            "version": version,
            "sealed": sealed,
            "key": data_key_id,
            "fingerprint": refresh_fingerprint,
            "life": life_seconds,
            "new_grant": new_grant,
        },
    )
