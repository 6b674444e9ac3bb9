"""From what was recorded to a history that the checker judges."""

import hashlib
from collections.abc import Iterable
from typing import Any

from broker.services import credential_text, credentials
from providers.messages import OAuthCredential
from tenants.errors import TenantsError
from tenants.models import DataKey
from tenants.models.credential import credential_context
from tenants.vault import SealContext
from tests.chaos import recorder, settling
from tests.chaos.checker import History, Kill, Request, Sending, Served, Standing, Version
from tests.chaos.site import Site


def read(site: Site, *, served: Iterable[Served] = (), ended: Iterable[str] = ()) -> History:
    """Return everything that was recorded of this site; nothing of it may be on its way any more.

    Effects: what the provider says now of connections that were given up is asked last, and is no part of the history.
    """
    keys = {key.id: key for key in DataKey.objects.all()}
    requests = [_request(one) for one in site.sandbox.token_requests() if one["presented"]]
    refused, stuck = settling.refused_and_stuck(site)
    return History(
        requests=requests,
        versions=list(_versions(site.rows(recorder.VERSIONS), keys)),
        standings=[Standing(connection=c, state=s, reason=r, at=at) for c, s, r, at in site.rows(recorder.STATES)],
        sendings=[_sending(*row) for row in site.rows(recorder.SENDINGS)],
        kills=kills(site),
        served=list(served),
        orphans=frozenset(_orphans(site.rows(recorder.ORPHANS), keys)),
        ended=frozenset(ended),
        refused=refused,
        forgotten=stuck | {row[0] for row in site.rows(recorder.FORGOTTEN)},
        patience=site.patience,
    )


def kills(site: Site) -> list[Kill]:
    """Who was killed so far, when and where."""
    lines = (line.split("\t") for line in site.kills.read_text().splitlines())
    return [Kill(at=float(at), pid=int(pid), point=point) for at, pid, point in lines]


def fingerprint(token: str) -> str:
    """Return what the sandbox's log shows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def _request(entry: dict[str, Any]) -> Request:
    return Request(
        number=entry["number"],
        at=entry["at"],
        ended=entry["at"] + entry["seconds"] if entry["finished"] else float("inf"),
        grant=entry["grant"],
        presented=entry["presented"],
        accepted=entry["decision"] in ("rotated", "renewed"),
        issued_refresh=entry["issued"].get("refresh_token", ""),
        issued_access=entry["issued"].get("access_token", ""),
        fault=entry["fault"],
    )


def _versions(rows: Iterable[tuple[Any, ...]], keys: dict[Any, DataKey]) -> Iterable[Version]:
    for tenant_id, connection_id, version, sealed, key_id, at in rows:
        opened = _opened(keys[key_id], credential_context(tenant_id, connection_id, version), sealed)
        if opened is not None:
            access, refresh = (fingerprint(one.reveal()) for one in (opened.access_token, opened.refresh_token) if one)
            yield Version(connection=str(connection_id), version=version, refresh=refresh, access=access, at=at)


def _orphans(rows: Iterable[tuple[Any, ...]], keys: dict[Any, DataKey]) -> Iterable[str]:
    for tenant_id, connection_id, fence, sealed, key_id, _ in rows:
        context = SealContext(tenant_id=tenant_id, row_id=connection_id, field="orphan", fence=fence)
        opened = _opened(keys[key_id], context, sealed)
        if opened is not None and opened.refresh_token is not None:
            yield fingerprint(opened.refresh_token.reveal())


def _opened(key: DataKey, context: SealContext, sealed: bytes) -> OAuthCredential | None:
    """What is sealed; None for a row that a scenario has poisoned."""
    try:
        opened = credential_text.decode(credentials.unseal(key, context, sealed))
    except TenantsError:
        return None
    return opened if isinstance(opened, OAuthCredential) else None


def _sending(connection: str, fence: int, owner: str, at: float, due: float | None) -> Sending:
    # A slot that was recovered is due since the beginning of time.
    return Sending(connection=connection, pid=_pid(owner), at=at, due=due or 0.0)


def _pid(owner: str) -> int:
    # The name ends in the process id and the number of its lock.
    return int(owner.rsplit(":", 2)[1]) if owner.count(":") > 1 else 0
