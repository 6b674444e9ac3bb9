"""Bring in connections that customers have elsewhere already: each line proven first, then stored whole or not at all.

Nothing that can be used once is used: a refresh token is never sent. An access token that has ended is stored with its
refresh token and made due at once, and the line says that nobody has verified it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import Q

from broker.errors import BrokerError
from broker.services import (
    client_secrets,
    connecting,
    credentials,
    directory,
    entered_refusals,
    incidents,
    register,
    states,
    storing,
)
from broker.services.entered_refusals import EntryRefused
from broker.services.import_lines import Line, LineRefused, read_line
from broker.services.import_tokens import verify_tokens
from broker.services.storing import Arrival, CompanyTaken, TenantEnded
from broker.services.verifying import Proven, verifier, verify
from providers.errors import DefinitionError, ProviderError, RequestRefused
from providers.messages import ClientRegistration as Registration
from providers.messages import ExternalAccount
from providers.protocol.entered import read_entered
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import ClientRegistration, Connection, State, Tenant

logger = logging.getLogger(__name__)
STORED, UNVERIFIED, EXISTS, REFUSED = "stored", "stored_unverified", "exists", "refused"
WOULD_STORE, WOULD_STORE_UNVERIFIED = "would_store", "would_store_unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a line. Shape: reason and field are words for programs, detail says the next step."""

    line: int
    verdict: str
    connection: UUID | None = None
    reason: str = ""
    field: str = ""
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the members that say something."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    tenant: Tenant
    registration: ClientRegistration
    line: Line


def import_line(number: int, text: bytes, *, dry_run: bool, actor: Actor) -> Result:
    """Return what became of one line; whatever it is, the next line is not touched by it.

    Effects: one call to the provider; unless dry_run, a connection in one transaction, or nothing.
    """
    try:
        return _import(number, read_line(text), dry_run, actor)
    except (LineRefused, EntryRefused) as error:
        return _refused(number, error)
    except BrokerError as error:
        return Result(line=number, verdict=REFUSED, reason=error.code, detail=error.detail)
    except (TenantsError, DatabaseError) as error:
        logger.error("a line could not be imported", extra={"failure": type(error).__name__})
        return Result(line=number, verdict=REFUSED, reason="storage_fault", detail="operators must look")
    except Exception:
        # One line's fault must not keep the others out; what it was is in the log.
        logger.exception("a line could not be imported")
        return Result(line=number, verdict=REFUSED, reason="internal_error", detail="see the log")


def _import(number: int, line: Line, dry_run: bool, actor: Actor) -> Result:
    place = _place(line)
    if line.external_account and (known := _known(place, _named_account(place))):
        return Result(line=number, verdict=EXISTS, connection=known.pk)
    proven, accepted = _proven(place, dry_run)
    if line.external_account and line.external_account != proven.account.subject:
        raise LineRefused("account_mismatch", "external_account", "the provider says that it is another account")
    if known := _known(place, proven.account):
        return Result(line=number, verdict=EXISTS, connection=known.pk)
    row = _stored(place, proven, accepted, dry_run, actor)
    if dry_run:
        return Result(line=number, verdict=WOULD_STORE if accepted else WOULD_STORE_UNVERIFIED)
    return Result(line=number, verdict=STORED if accepted else UNVERIFIED, connection=row.pk)


def _place(line: Line) -> _Place:
    tenant = register.tenant_by_slug(line.tenant)
    environments = directory.provider(line.provider).definition.environments
    if line.environment not in environments:
        raise LineRefused("unknown_environment", "environment", f"one of {', '.join(environments)}")
    rows = ClientRegistration.objects.select_related("data_key").filter(
        Q(tenant=tenant) | Q(tenant=None),
        provider_id=line.provider,
        environment=line.environment,
        disabled_at=None,
    )
    if line.registration:
        rows = rows.filter(Q(redirect_key=line.registration) | Q(client_id=line.registration))
    # The tenant's own goes before a shared one, as it does for a customer who connects.
    found = list(rows.order_by("tenant_id"))
    found = [row for row in found if row.tenant_id == tenant.pk] or found
    if len(found) != 1:
        reason = "ambiguous_registration" if found else "unknown_registration"
        raise LineRefused(reason, "registration", "a redirect key or client id that serves this tenant there")
    return _Place(tenant=tenant, registration=found[0], line=line)


def _named_account(place: _Place) -> ExternalAccount:
    registration = credentials.registration_without_secrets(place.registration)
    issuer = directory.provider(place.line.provider).issuer(registration)
    return ExternalAccount(issuer=issuer, subject=place.line.external_account)


def _known(place: _Place, account: ExternalAccount) -> Connection | None:
    """The connection that this account has already, unless it ended: then the line brings it back."""
    found = storing.known_connection(place.tenant.pk, place.registration, place.line.label, account)
    return found if found and found.state in (*states.LIVE, State.SUSPENDED) else None


def _proven(place: _Place, dry_run: bool) -> tuple[Proven, bool]:
    line, registration = place.line, client_secrets.opened(place.registration)
    try:
        if line.tokens is not None:
            return verify_tokens(line.provider, registration, line.tokens, line.external_account)
        return _entered(line, registration), True
    except DefinitionError:
        raise LineRefused("unknown_environment", "environment") from None
    except ProviderError as error:
        raise _told(place, error, dry_run) from None


def _entered(line: Line, registration: Registration) -> Proven:
    assert line.entered is not None
    try:
        entered = read_entered(verifier(line.provider).definition, line.entered)
    except RequestRefused as error:
        raise entered_refusals.of_value(error) from None
    return verify(line.provider, registration, entered)


def _told(place: _Place, error: ProviderError, dry_run: bool) -> EntryRefused:
    with _transaction(dry_run):
        return entered_refusals.of_answer(error, place.registration, tuple(place.line.entered or ()))


def _stored(place: _Place, proven: Proven, accepted: bool, dry_run: bool, actor: Actor) -> Connection:
    arrival = Arrival(
        tenant_id=place.tenant.pk,
        registration=place.registration,
        label=place.line.label,
        asked=proven.asked,
        credential=proven.credential,
        account=proven.account,
        life_seconds=proven.expires_in,
        unverified=proven.unverified,
        actor=actor,
    )
    try:
        with _transaction(dry_run):
            row = storing.store_connected(arrival)
            audit.record_for(row, "connection.imported", actor, verified=accepted)
            if accepted:
                incidents.heal(row)
            return row
    except TenantEnded:
        raise LineRefused("tenant_not_found", "tenant", "the tenant has just been deleted") from None
    except CompanyTaken as error:
        with _transaction(dry_run):
            connecting.report_taken(arrival, error)
        raise EntryRefused("company_taken") from None


@contextmanager
def _transaction(dry_run: bool) -> Iterator[None]:
    """All of it, or in a dry run none."""
    with transaction.atomic():
        yield
        transaction.set_rollback(dry_run)


def _refused(number: int, error: LineRefused | EntryRefused) -> Result:
    if isinstance(error, LineRefused):
        return Result(line=number, verdict=REFUSED, reason=error.reason, field=error.field, detail=error.detail)
    return Result(
        line=number,
        verdict=REFUSED,
        reason=error.problem or error.code,
        field=", ".join(error.fields),
        detail=error.expected or error.explanation,
    )
