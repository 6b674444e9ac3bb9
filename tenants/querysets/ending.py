"""A tenant that is deleted: from its last word to its last row, each step one statement that may be run again."""

from uuid import UUID

from tenants.querysets.rows import affected, one_row, rows

# Those that name a connection, each below whatever it names itself. Audit and outbox events have plain ids and stay.
_OF_CONNECTIONS = (
    "DELETE FROM tenants_mintedtoken WHERE connection_id = ANY(%(ids)s)",
    "DELETE FROM tenants_credential WHERE connection_id = ANY(%(ids)s)",
    "DELETE FROM tenants_credentialorphan WHERE connection_id = ANY(%(ids)s)",
    "DELETE FROM tenants_renewalslot WHERE connection_id = ANY(%(ids)s)",
    "DELETE FROM tenants_expirynotice WHERE subject_id = ANY(%(ids)s)",
    "DELETE FROM tenants_connection WHERE id = ANY(%(ids)s)",
)
_OF_TENANT = (
    "DELETE FROM tenants_authorizationrequest WHERE tenant_id = %(id)s",
    "DELETE FROM tenants_connectsession WHERE tenant_id = %(id)s",
    "DELETE FROM tenants_credentialorphan WHERE tenant_id = %(id)s",
    """
    DELETE FROM tenants_expirynotice WHERE subject_id IN
        (SELECT id FROM tenants_clientregistration WHERE tenant_id = %(id)s)
    """,
    """
    DELETE FROM tenants_registrationgate WHERE registration_id IN
        (SELECT id FROM tenants_clientregistration WHERE tenant_id = %(id)s)
    """,
    "DELETE FROM tenants_clientregistration WHERE tenant_id = %(id)s",
    # Whatever a backup still holds sealed under these opens with nothing that is left here.
    "DELETE FROM tenants_datakey WHERE tenant_id = %(id)s",
    "DELETE FROM tenants_caller_tenants WHERE tenant_id = %(id)s",
    "DELETE FROM tenants_tenant WHERE id = %(id)s",
)


def stands(tenant_id: UUID) -> bool:
    """Tell whether the tenant is there and not being deleted; until the transaction ends, nobody begins to.

    Effects: a lock that only a change of the tenant's own row waits for.
    """
    sql = "SELECT 1 FROM tenants_tenant WHERE id = %(id)s AND deleted_at IS NULL FOR SHARE"
    return one_row(sql, {"id": tenant_id}) is not None


def remove_connections(tenant_id: UUID, *, limit: int) -> int:
    """Delete so many connections, with all that names them. Returns how many. Effects: in the caller's transaction."""
    # A link of another tenant's cannot name one of these; this tenant's own go with the last step.
    found = rows(
        "SELECT id FROM tenants_connection WHERE tenant_id = %(id)s ORDER BY id LIMIT %(limit)s FOR UPDATE",
        {"id": tenant_id, "limit": limit},
    )
    ids = [row[0] for row in found]
    for sql in _OF_CONNECTIONS if ids else ():
        affected(sql, {"ids": ids})
    return len(ids)


def remove_links(tenant_id: UUID) -> None:
    """Delete the tenant's connect links and flows: they name its connections. Effects: in the caller's transaction."""
    for sql in _OF_TENANT[:2]:
        affected(sql, {"id": tenant_id})


def remove_tenant(tenant_id: UUID) -> None:
    """Delete all that is left of a tenant without connections. Effects: in the caller's transaction."""
    for sql in _OF_TENANT:
        affected(sql, {"id": tenant_id})
