"""The list of events: what changed, in the order in which it was published."""

import re
from functools import partial
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from broker.api.authentication import ApiKeyAuth
from broker.api.describing import EVENTS, described
from broker.api.event_schemas import EventOut, EventPage
from broker.api.hot import uuid_of, wait_of
from broker.api.lookups import grant_of
from broker.api.paging import Limit
from broker.errors import InvalidRequest
from broker.services import events, outbox
from broker.services.events import Found, Wanted
from tenants.models import Operation, OutboxEvent
from tenants.querysets import publishing

router = Router(tags=[EVENTS])
_CURSOR = re.compile(r"[0-9]{1,18}")
_NOW = "now"


@router.get(
    "/events",
    response={200: EventPage},
    auth=ApiKeyAuth(Operation.EVENT_READ),
    operation_id="listEvents",
    summary="What changed, oldest first",
    description="Without `cursor` from the oldest that is kept, with `now` only what comes. `Prefer: wait=N` waits up "
    "to 20 seconds for the first event; where it was not waited, `Preference-Applied` is missing: ask again later.",
    openapi_extra=described(waits=True),
)
def list_events(
    request: HttpRequest,
    response: HttpResponse,
    cursor: Annotated[str, Query(description="The next_cursor of the page before, or `now`.")] = "",
    type: Annotated[str, Query(description="Event types, with commas between them.", max_length=1000)] = "",
    tenant: Annotated[str, Query(description="The tenant's slug.")] = "",
    connection: Annotated[str, Query(description="The connection's id.")] = "",
    limit: Limit = 50,
) -> EventPage:
    wanted = Wanted(_types(type), tenant, uuid_of(connection) if connection else None)
    read = partial(events.page, grant_of(request), _position(cursor), wanted, limit)
    seconds = min(wait_of(request.META) or 0.0, events.LONGEST_WAIT_SECONDS)
    found, waited = events.wait_for(read, seconds)
    if waited:
        response["Preference-Applied"] = f"wait={seconds:.0f}"
    return _page(found)


def _types(text: str) -> tuple[str, ...]:
    types = tuple(filter(None, text.split(",")))
    if not set(types) <= set(outbox.TYPES):
        raise InvalidRequest("type: an event type that does not exist")
    return types


def _position(cursor: str) -> int:
    if cursor == _NOW:
        return publishing.newest()
    if cursor and not _CURSOR.fullmatch(cursor):
        raise InvalidRequest("cursor is not one that this API gave")
    return int(cursor or 0)


def _page(found: Found) -> EventPage:
    return EventPage(items=[_shown(row) for row in found.events], next_cursor=str(found.position))


def _shown(row: OutboxEvent) -> EventOut:
    return EventOut(id=outbox.message_id(row), cursor=str(row.position), **outbox.message(row))
