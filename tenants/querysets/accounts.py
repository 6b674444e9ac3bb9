"""One company at a time: whoever stores a connection to an account waits for whoever is storing one."""

from tenants.querysets.rows import one_row


def lock(*, provider_id: str, environment: str, issuer: str, subject: str) -> None:
    """Hold this account until the transaction ends. Effects: an advisory lock, no row."""
    # The separator is a control character, which none of the parts has: no two accounts share a name.
    name = "\x1f".join((provider_id, environment, issuer, subject))
    one_row("SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))) AS held", {"name": name})
