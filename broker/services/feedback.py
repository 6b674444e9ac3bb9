"""A caller says that a token did not work: find out whose turn it is, once for each token version."""

import logging
import random
import time
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from broker.errors import InvalidRequest
from broker.services import renew, sessions
from broker.services.renewal_outcomes import Outcome
from tenants import audit
from tenants.audit import Actor
from tenants.models import Connection, Credential, State

logger = logging.getLogger(__name__)
_ACTIONS = {
    "stale_version": "take_newer_token",
    "renewed": "retry_with_new_token",
    "scope_missing": "ask_customer_for_more_rights",
    "confirmed_dead": "send_customer_to_connect_url",
    "provider_unavailable": "retry_later",
    "not_a_token_problem": "look_at_the_request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a report, and what the caller does next."""

    verdict: str
    state: str
    reason: str
    version: int | None
    connect_url: str | None = field(default=None, repr=False)

    @property
    def action(self) -> str:
        return _ACTIONS[self.verdict]


def report(connection: Connection, *, status: int, version: int, www_authenticate: str = "", actor: Actor) -> Verdict:
    """Judge a 401 or 403 that a caller got from the provider's API with this token version.

    401 with the current version leads to one verified renewal; an older one is answered with the newer; 403 never
    renews: a right is missing, not a token.
    Raises: InvalidRequest for a version that was never issued.
    Effects: at most one token request a minute for one version; one audit event for a report that led to it.
    """
    current = _version(connection.id)
    if current is not None and version > current:
        raise InvalidRequest("version is newer than any token of this connection")
    if status != 401:
        missing = status == 403 and "insufficient_scope" in www_authenticate
        return _verdict(connection, "scope_missing" if missing else "not_a_token_problem")
    if connection.state == State.REAUTHORIZATION_REQUIRED:
        return _verdict(connection, "confirmed_dead")
    if current is None or connection.state not in (State.CONNECTED, State.DEGRADED):
        return _verdict(connection, "not_a_token_problem")
    if version < current:
        return _verdict(connection, "stale_version")
    audit.record_for(connection, "feedback.unauthorized", actor, version=version)
    return _verified(connection, version)


def _verified(connection: Connection, version: int) -> Verdict:
    outcome = renew.renew_reported(connection.id, version=version)
    deadline = time.monotonic() + settings.TOKEN_WAIT_SECONDS
    while outcome is Outcome.BUSY and time.monotonic() < deadline and not _settled(connection, version):
        time.sleep(random.uniform(0.1, 0.25))  # noqa: S311  jitter
        # Whoever was renewing may have ended in doubt; then it is this report that decides.
        outcome = renew.renew_reported(connection.id, version=version)
    connection.refresh_from_db(fields=["state", "reason"])
    if connection.state == State.REAUTHORIZATION_REQUIRED:
        return _verdict(connection, "confirmed_dead")
    newer = (_version(connection.id) or 0) > version
    return _verdict(connection, "renewed" if newer else "provider_unavailable")


def _settled(connection: Connection, version: int) -> bool:
    connection.refresh_from_db(fields=["state"])
    return connection.state == State.REAUTHORIZATION_REQUIRED or (_version(connection.id) or 0) > version


def _version(connection_id: UUID) -> int | None:
    return Credential.objects.filter(connection_id=connection_id).values_list("version", flat=True).first()


def _verdict(connection: Connection, verdict: str) -> Verdict:
    dead = verdict == "confirmed_dead"
    return Verdict(
        verdict=verdict,
        state=connection.state,
        reason=connection.reason,
        version=_version(connection.id),
        connect_url=sessions.repair_link(connection).url if dead else None,
    )
