"""Deliver events: claim what is due, send it outside of any transaction, write down what came of it.

At least once: a delivery whose sender dies is due again when its lease ends.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch

from broker.services import outbox, webhook_secrets, webhook_targets, webhooks
from broker.services.event_access import Audience, grant_of
from broker.services.policy import Grant
from broker.services.webhook_targets import Heard
from tenants import audit
from tenants.errors import TenantsError
from tenants.models import Operation, OutboxEvent, Tenant, WebhookDelivery
from tenants.querysets import deliveries as rows
from tenants.querysets.deliveries import Claimed
from tenants.querysets.rows import database_now

logger = logging.getLogger(__name__)
# The pauses between tries, in seconds; the last one again and again, until three days have passed.
PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0)
LAST_SECONDS = 72 * 3600.0
_JITTER = 0.2
# What an endpoint may ask for by Retry-After.
_LONGEST_WISH = 3600.0
# An endpoint with so many failures in a row rests as a whole: first so long, then twice as long, at most the last.
_PATIENCE, _FIRST_REST, _LONGEST_REST = 5, 5.0, 300.0
# One endpoint's share of a worker's senders.
MOST_OF_ONE = 4
# What a lease has left when the request's own time is over.
_MARGIN_SECONDS = 10.0
_UNREADABLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A claimed delivery, ready to be sent. Shape: created_at of the delivery, from which three days are counted."""

    claimed: Claimed
    url: str
    created_at: datetime
    message_id: str
    body: str = field(repr=False)
    secrets: list[str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of sending a parcel, and when and for how long it was out."""

    parcel: Parcel
    heard: Heard
    at: datetime
    milliseconds: int


def claim(limit: int, busy: Mapping[UUID, int]) -> list[Parcel]:
    """Return what this process may send now, at most so many. Shape: busy says what it has out, by endpoint.

    Effects: a lease each. What a caller may not see any more is dropped here.
    """
    lease = settings.WEBHOOK_TIMEOUT_SECONDS + _MARGIN_SECONDS
    claimed = rows.claim(limit=limit, most=MOST_OF_ONE, busy=busy, lease_seconds=lease)
    if not claimed:
        return []
    found = _found({each.id for each in claimed})
    now, audience, grants = database_now(), Audience(), dict[UUID, Grant]()
    parcels = [_parcel(each, found[each.id], grants, audience, now) for each in claimed if each.id in found]
    return [parcel for parcel in parcels if parcel is not None]


def _found(ids: set[int]) -> dict[int, WebhookDelivery]:
    tenants = Prefetch("endpoint__caller__tenants", Tenant.objects.only("id"))
    related = WebhookDelivery.objects.select_related("event", "endpoint__caller", "endpoint__data_key")
    return {row.pk: row for row in related.filter(pk__in=ids).defer("tries").prefetch_related(tenants)}


def _parcel(
    claimed: Claimed, row: WebhookDelivery, grants: dict[UUID, Grant], audience: Audience, now: datetime
) -> Parcel | None:
    caller = row.endpoint.caller
    grant = grants.setdefault(caller.pk, grant_of(caller))
    if not _may_be_told(grant, row.event, audience):
        rows.end(claimed, WebhookDelivery.State.DROPPED, None)
        return None
    try:
        secrets = webhook_secrets.valid(row.endpoint, now)
    except TenantsError:
        logger.error("the secrets of a webhook endpoint cannot be opened", extra={"reason": str(row.endpoint_id)})
        rows.postpone(claimed, {"at": _instant(now), "error": "internal"}, seconds=_UNREADABLE_SECONDS)
        return None
    return Parcel(
        claimed=claimed,
        url=row.endpoint.url,
        created_at=row.created_at,
        message_id=outbox.message_id(row.event),
        body=json.dumps(outbox.message(row.event), separators=(",", ":"), ensure_ascii=False),
        secrets=secrets,
    )


def _may_be_told(grant: Grant, event: OutboxEvent, audience: Audience) -> bool:
    """Asked again at each try: rights that were taken away meanwhile are gone."""
    if Operation.WEBHOOK_MANAGE.value not in grant.operations:
        return False
    return event.type == outbox.TEST or audience.may_be_told(
        grant, tenant_id=event.tenant_id, connection_id=event.connection_id, payload=event.payload
    )


def send(parcel: Parcel, now: datetime) -> Answer:
    """Send once. No database. Effects: one request."""
    started = time.monotonic()
    signed = webhook_secrets.headers(parcel.message_id, parcel.body, parcel.secrets, now)
    heard = webhook_targets.post(parcel.url, parcel.body.encode(), signed)
    return Answer(parcel=parcel, heard=heard, at=now, milliseconds=int((time.monotonic() - started) * 1000))


def unsent(parcel: Parcel, now: datetime) -> Answer:
    """Return the answer to a parcel that we ourselves failed to send: it counts as a try."""
    return Answer(parcel=parcel, heard=Heard(status=None, error="internal"), at=now, milliseconds=0)


def settle(answer: Answer, chance: float) -> None:
    """Write down what came of a parcel, and what follows for its endpoint. Effects: rows, in one transaction."""
    heard, claimed = answer.heard, answer.parcel.claimed
    with transaction.atomic():
        if heard.status is not None and 200 <= heard.status < 300:
            rows.end(claimed, WebhookDelivery.State.DELIVERED, _tried(answer))
            rows.note_accepted(claimed.endpoint_id)
        elif heard.status == 410:
            _retry_or_give_up(answer, chance)
            webhooks.disable(claimed.endpoint_id, webhooks.Because.GONE, actor=audit.SYSTEM)
        elif _retry_or_give_up(answer, chance) and _endpoint_failed(answer):
            webhooks.disable(claimed.endpoint_id, webhooks.Because.FAILING, actor=audit.SYSTEM)


def _retry_or_give_up(answer: Answer, chance: float) -> bool:
    claimed = answer.parcel.claimed
    age = (answer.at - answer.parcel.created_at).total_seconds()
    pause = pause_after(claimed.attempts, age, chance, _wish(answer.heard))
    if pause is None:
        return rows.end(claimed, WebhookDelivery.State.GIVEN_UP, _tried(answer))
    return rows.postpone(claimed, _tried(answer), seconds=pause)


def pause_after(attempts: int, age_seconds: float, chance: float, wish: float = 0.0) -> float | None:
    """Return the seconds until the next try, after so many; None: three days have passed, and that was the last.

    Shape:  chance from 0 to 1; wish is what the endpoint asked for, within bounds already.
    """
    left = LAST_SECONDS - age_seconds
    if left <= 0:
        return None
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * (1 + _JITTER * chance)
    return min(max(pause, wish), left)


def _wish(heard: Heard) -> float:
    asked = heard.retry_after if heard.status in (429, 503) else None
    return min(asked or 0.0, _LONGEST_WISH)


def _endpoint_failed(answer: Answer) -> bool:
    """Count it; True when the endpoint has accepted nothing for three days."""
    return rows.note_failure(
        answer.parcel.claimed.endpoint_id,
        patience=_PATIENCE,
        asked=_wish(answer.heard),
        first=_FIRST_REST,
        longest=_LONGEST_REST,
        limit_seconds=LAST_SECONDS,
    )


def _tried(answer: Answer) -> dict[str, Any]:
    heard = answer.heard
    came = {"status": heard.status} if heard.status is not None else {"error": heard.error}
    return {"at": _instant(answer.at), **came, "ms": answer.milliseconds}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
