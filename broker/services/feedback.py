"""A caller says how the provider's API answered: find out whose turn it is, once for each credential version."""

import logging
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from django.db import transaction

from broker.errors import InvalidRequest
from broker.services import (
    credentials,
    directory,
    minting,
    on_demand,
    probing,
    refusing,
    renew,
    scoped,
    sessions,
    states,
)
from providers.interface import MINTS_SCOPES
from providers.messages import ApiReading, HttpResponse
from tenants import audit
from tenants.audit import Actor
from tenants.models import Connection, Credential, Reason, State
from tenants.querysets import minted, reports, slots

logger = logging.getLogger(__name__)
# The caller's time is over and the provider has not answered: whoever reports again is told what came of it.
_UNKNOWN_YET = "provider_unavailable"
_ACTIONS = {
    "stale_version": "take_newer_token",
    "renewed": "retry_with_new_token",
    "scope_missing": "ask_customer_for_more_rights",
    "right_missing": "send_customer_to_provider",
    "account_unverified": "send_customer_to_provider",
    "confirmed_dead": "send_customer_to_connect_url",
    "provider_unavailable": "retry_later",
    "not_a_token_problem": "look_at_the_request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a caller tells of an answer.

    Shape:  scopes are those that the token was asked for with, if any. wait_seconds None: as long as it takes.
    """

    status: int
    version: int
    www_authenticate: str = ""
    body: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    scopes: tuple[str, ...] = ()
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a report, and what the caller does next. Units: retry_after in seconds."""

    verdict: str
    state: str
    reason: str
    version: int | None
    connect_url: str | None = field(default=None, repr=False)
    explanation: str = ""
    error_id: str | None = None
    retry_after: float | None = None
    rate_limit: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def action(self) -> str:
        return _ACTIONS[self.verdict]


def report(connection: Connection, told: Report, *, actor: Actor) -> Verdict:
    """Judge an answer that a caller got from the provider's API with this credential version.

    A refused credential of the current version leads to one verified renewal, or to one question where nothing can be
    renewed; an older one is answered with the newer. Whatever else the provider says never renews.
    Raises: InvalidRequest for a version that was never issued; InvalidScope, OperationUnsupported for scopes.
    Effects: at most one request a minute for one version; the state, when the account is unverified or verified again;
             one audit event a minute for a version and error.
    """
    provider = directory.provider(connection.provider_id)
    told = _without_own_scopes(connection, told)
    current = _version(connection, told)
    if current is not None and told.version > current:
        raise InvalidRequest("version is newer than any token of this connection")
    reading = provider.read_answer(_answer(told))
    if reading.meaning != "ok":
        _note(connection, told, reading, actor)
    verdict = _judged(connection, told, reading, current)
    return _verdict(connection, verdict, told, reading)


def _answer(told: Report) -> HttpResponse:
    headers = {name.lower(): value for name, value in told.headers.items()}
    if told.www_authenticate:
        headers["www-authenticate"] = told.www_authenticate
    return HttpResponse(status=told.status, headers=headers, body=told.body.encode("utf-8", "replace"))


def _without_own_scopes(connection: Connection, told: Report) -> Report:
    """The registration's own scopes are the connection's credential, as they are when a token is asked for."""
    if not told.scopes:
        return told
    provider = directory.provider(connection.provider_id)
    if MINTS_SCOPES not in provider.capabilities:
        raise directory.unsupported(provider.unsupported(MINTS_SCOPES))
    scoped.check_scopes(provider, told.scopes)
    own = scoped.is_own(provider, credentials.registration_without_secrets(connection.registration), told.scopes)
    return replace(told, scopes=()) if own else told


def _version(connection: Connection, told: Report) -> int | None:
    if told.scopes:
        found = minted.standing(connection.id, minting.key_of(told.scopes))
        return found.version if found else None
    return Credential.objects.filter(connection_id=connection.id).values_list("version", flat=True).first()


def _note(connection: Connection, told: Report, reading: ApiReading, actor: Actor) -> None:
    """Keep the provider's own name for the incident: its support asks for it."""
    detail = {"version": told.version, "status": told.status, "meaning": reading.meaning, "error": reading.error}
    with transaction.atomic():
        if not reports.said_lately(connection.id, "feedback.reported", detail):
            words = {"error_id": reading.error_id, "description": reading.description}
            audit.record_for(connection, "feedback.reported", actor, **detail, **words)


def _judged(connection: Connection, told: Report, reading: ApiReading, current: int | None) -> str:
    if reading.meaning in ("credential_refused", "client_rejected"):
        return _credential_refused(connection, told, current)
    return _WITHOUT_REQUEST[reading.meaning](connection, reading)


def _credential_refused(connection: Connection, told: Report, current: int | None) -> str:
    if connection.state == State.REAUTHORIZATION_REQUIRED:
        return "confirmed_dead"
    if not current or connection.state not in states.LIVE:
        return "not_a_token_problem"
    if told.version < current:
        return "stale_version"
    if told.wait_seconds is None:
        return _asked_of_the_provider(connection, told)
    return _within(told.wait_seconds, connection, told)


def _within(seconds: float, connection: Connection, told: Report) -> str:
    """As _asked_of_the_provider, for a caller with little time: when it is over, what has begun goes on by itself."""
    # A copy: the work may outlive this request, which goes on to read the row.
    own = copy(connection)
    key = ("report", connection.id, told.version, told.scopes)
    lane = connection.registration_id
    return on_demand.within(seconds, key, lambda: _asked_of_the_provider(own, told), lane=lane) or _UNKNOWN_YET


def _asked_of_the_provider(connection: Connection, told: Report) -> str:
    if told.scopes:
        return refusing.scoped(connection, told.scopes, told.version)
    if not renew.can_renew(connection.id):
        return refusing.asked(connection, told.version)
    # A token that was made a moment ago because of a 401, and gets a 401: it is not the token.
    if slots.came_of_a_report(connection.id, told.version):
        return "not_a_token_problem"
    return refusing.renewed(connection, told.version)


def _well(connection: Connection, _reading: ApiReading) -> str:
    probing.heal(connection)
    return "not_a_token_problem"


def _unverified(connection: Connection, reading: ApiReading) -> str:
    states.move(
        connection,
        State.DEGRADED,
        Reason.ACCOUNT_UNVERIFIED,
        only_from=states.LIVE,
        error=reading.error,
        description=reading.description,
        error_id=reading.error_id,
    )
    return "account_unverified"


_WITHOUT_REQUEST: Mapping[str, Callable[[Connection, ApiReading], str]] = {
    "ok": _well,
    "right_missing": lambda _connection, _reading: "right_missing",
    "scope_missing": lambda _connection, _reading: "scope_missing",
    "account_unverified": _unverified,
    "throttled": lambda _connection, _reading: "provider_unavailable",
    "unavailable": lambda _connection, _reading: "provider_unavailable",
    "content": lambda _connection, _reading: "not_a_token_problem",
}


def _verdict(connection: Connection, verdict: str, told: Report, reading: ApiReading) -> Verdict:
    connection.refresh_from_db(fields=["state", "reason"])
    dead = verdict == "confirmed_dead"
    return Verdict(
        verdict=verdict,
        state=connection.state,
        reason=connection.reason,
        version=_version(connection, told),
        connect_url=sessions.repair_link(connection).url if dead else None,
        explanation=reading.explanation,
        error_id=reading.error_id,
        retry_after=reading.retry_after,
        rate_limit=reading.rate_limit,
    )
