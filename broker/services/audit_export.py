"""One tenant's audit log as JSON lines, with a signed last line: what its auditors may have, and nothing of others.

Members of staff are "staff": their names and addresses stay inside. Of what an event tells, only the members listed
here go out, so that one which is new, or speaks of another tenant, does not.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from broker.errors import TenantNotFound
from broker.services import audit_chain, credentials, timeline
from tenants import audit as log
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import AuditEvent, Caller, IssueCount, Tenant
from tenants.querysets import audit

FORMAT = 1
_PURPOSE = b"audit export"
# A page is one short query: nothing is held open while the reader is slow.
_PAGE = 1000
_SHOWN = frozenset(
    (
        "account",
        "before",
        "changed",
        "client_id",
        "description",
        "end",
        "ends_at",
        "environment",
        "error",
        "error_id",
        "fence",
        "kind",
        "meaning",
        "missing",
        "outcome",
        "previous",
        "provider",
        "providers",
        "reads",
        "reason",
        "requests",
        "revoked",
        "session",
        "slug",
        "start",
        "status",
        "verified",
        "version",
    )
)
_WITH_NAME_AND_SOURCE = (AuditEvent.Actor.CALLER, AuditEvent.Actor.CUSTOMER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which part: days are UTC, both included, None for no bound."""

    tenant_id: UUID
    start: date | None = None
    end: date | None = None
    reads: bool = False


@dataclass(slots=True)
class Tally:
    """What has gone out so far."""

    events: int = 0
    reads: int = 0
    digest: Any = field(default_factory=hashlib.sha256)


def tenant_id_of(text: str) -> UUID:
    """Return a tenant's id by its slug, or as it is given: a deleted tenant has no slug. Raises TenantNotFound."""
    found = Tenant.objects.filter(slug=text[:64]).values_list("pk", flat=True).first()
    if found is not None:
        return found
    try:
        given = UUID(text)
    except ValueError:
        given = None
    if given is None or not AuditEvent.objects.filter(tenant_id=given).exists():
        raise TenantNotFound(f"no tenant has the slug {text[:64]!r}, and no audit event that id")
    return given


def export(wanted: Wanted, *, actor: Actor, now: datetime) -> Iterator[str]:
    """Give the lines, each with its line break. Effects: one audit event, before the first line."""
    detail: dict[str, object] = {"reads": wanted.reads}
    detail |= {name: day.isoformat() for name, day in (("start", wanted.start), ("end", wanted.end)) if day}
    log.record("audit.exported", actor, tenant_id=wanted.tenant_id, detail=detail)
    return _signed(wanted, now)


def _signed(wanted: Wanted, now: datetime) -> Iterator[str]:
    tally, key = Tally(), credentials.active_data_key(None)
    for record in _records(wanted, now, tally):
        line = _line(record)
        tally.digest.update(line.encode())
        yield line
    yield _line(
        {
            "type": "end",
            "events": tally.events,
            "reads": tally.reads,
            "sha256": tally.digest.hexdigest(),
            "signature": _signature(audit_chain.key_of(key, _PURPOSE), tally.digest.digest()),
            "key": key.pk.hex,
        }
    )


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _signature(key: bytes, digest: bytes) -> str:
    return hmac.digest(key, digest, "sha256").hex()


def _records(wanted: Wanted, now: datetime, tally: Tally) -> Iterator[dict[str, Any]]:
    days = {"from": wanted.start, "to": wanted.end}
    yield {"type": "export", "format": FORMAT, "tenant": wanted.tenant_id, "at": now, **days, "reads": wanted.reads}
    for event in _pages(_within(AuditEvent.objects.filter(tenant_id=wanted.tenant_id), "at", wanted)):
        tally.events += 1
        yield _event(event)
    if wanted.reads:
        callers = Caller.objects.in_bulk()
        for row in _pages(_within(IssueCount.objects.filter(tenant_id=wanted.tenant_id), "hour", wanted), "hour"):
            tally.reads += 1
            yield _read(row, callers.get(row.caller_id))


def _within(rows: QuerySet[Any], column: str, wanted: Wanted) -> QuerySet[Any]:
    bounds = {
        f"{column}__gte": audit.start_of(wanted.start) if wanted.start else None,
        f"{column}__lt": audit.start_of(wanted.end + timedelta(days=1)) if wanted.end else None,
    }
    return rows.filter(**{name: moment for name, moment in bounds.items() if moment})


def _pages(rows: QuerySet[Any], column: str = "") -> Iterator[Any]:
    """Give the rows in the order of their ids; of `column` first, where there is one."""
    order = [*([column] if column else []), "id"]
    page: list[Model] = list(rows.order_by(*order)[:_PAGE])
    while page:
        yield from page
        last: Any = page[-1]
        after = Q(id__gt=last.pk)
        if column:
            at = getattr(last, column)
            after = Q(**{f"{column}__gte": at}) & (Q(**{f"{column}__gt": at}) | after)
        page = list(rows.filter(after).order_by(*order)[:_PAGE])


def _event(event: AuditEvent) -> dict[str, Any]:
    open_about = event.actor_kind in _WITH_NAME_AND_SOURCE
    detail = {name: value for name, value in event.detail.items() if name in _SHOWN}
    return {
        "type": "event",
        "id": event.pk,
        "at": event.at,
        "actor": event.actor_kind,
        "name": event.actor if open_about else "",
        "source": event.source if open_about else "",
        "on_behalf_of": event.on_behalf_of,
        "action": event.action,
        "sentence": timeline.sentence(event.action, detail),
        "connection": event.connection_id,
        "detail": detail,
    }


def _read(row: IssueCount, caller: Caller | None) -> dict[str, Any]:
    return {
        "type": "reads",
        "hour": row.hour,
        "connection": row.connection_id,
        "caller": caller.name if caller else str(row.caller_id),
        "purpose": caller.purpose if caller else "",
        "key_id": row.key_id,
        "source": row.source,
        "on_behalf_of": row.on_behalf_of,
        "version": row.version,
        "fingerprint": bytes(row.fingerprint).hex() if row.fingerprint else None,
        "reads": row.reads,
        "first_at": row.first_at,
        "last_at": row.last_at,
    }


def problem_of(lines: Iterable[str]) -> str:
    """Return why an export is not as it was made, as a sentence; empty when it is."""
    tally, end = Tally(), None
    for line in lines:
        if end is not None:
            return "there is something after the last line"
        kind = _kind(line)
        if kind.get("type") == "end":
            end = kind
        else:
            tally.digest.update(line.encode())
    if end is None:
        return "the last line is missing: the rest of the export is, too"
    key = audit_chain.platform_key(str(end.get("key")))
    if key is None:
        return "it was signed with a key that this broker does not have"
    try:
        own = _signature(audit_chain.key_of(key, _PURPOSE), tally.digest.digest())
    except TenantsError as error:
        return f"the key that it was signed with cannot be opened: {error}"
    return "" if hmac.compare_digest(own, str(end.get("signature"))) else "its lines are not those that were signed"


def _kind(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
