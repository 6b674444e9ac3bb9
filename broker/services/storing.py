"""Make a credential that a provider has accepted a connection's: the one end of sign-in, choice, form and import."""

import random
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from broker.services import credentials, directory, granted, orphans, schedule, states
from providers.interface import RENEWS
from providers.messages import ExternalAccount, OAuthCredential, StoredCredential
from tenants import audit
from tenants.audit import Actor
from tenants.models import (
    ClientRegistration,
    Connection,
    ConnectSession,
    CredentialOrphan,
    MintedToken,
    Reason,
    State,
)
from tenants.querysets import accounts, ending, slots


class CompanyTaken(Exception):
    """Another tenant has this account connected, and the provider's accounts belong to one tenant each."""

    def __init__(self, held_by: UUID) -> None:
        super().__init__("another tenant has this account connected")
        self.held_by = held_by


class TenantEnded(Exception):
    """The tenant has been deleted meanwhile: nothing of it is connected any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An accepted credential and where it belongs.

    Shape:  repaired is the connection it is for, None when its account decides. session is the link it came by.
            unverified: the provider has still to verify the company.
    Units:  life_seconds of the access token; None where there is none, or where it never expires.
    """

    tenant_id: UUID
    registration: ClientRegistration
    label: str = ""
    repaired: Connection | None = None
    asked: tuple[str, ...] = ()
    credential: StoredCredential
    account: ExternalAccount | None
    life_seconds: float | None = None
    unverified: bool = False
    session: ConnectSession | None = None
    actor: Actor = audit.CUSTOMER

    @property
    def granted(self) -> tuple[str, ...]:
        return self.credential.scope if isinstance(self.credential, OAuthCredential) else ()


def refusal(arrival: Arrival) -> str:
    """Return why it must not replace what the connection holds; empty when it may.

    A connection that belongs to one company never silently becomes another's.
    """
    repaired, account = arrival.repaired, arrival.account
    if repaired is None or not repaired.external_subject:
        return ""
    if account is None:
        return "account_unconfirmed"
    same = (account.issuer, account.subject) == (repaired.external_issuer, repaired.external_subject)
    return "" if same else "account_mismatch"


@transaction.atomic
def store_connected(arrival: Arrival) -> Connection:
    """Return the connection that holds the credential now.

    Raises: CompanyTaken, TenantEnded.
    Effects: everything in one transaction, fence first, so that a renewal in flight can no longer write: credential,
    due time, state, audit and outbox events; tokens for other sets of scopes are gone, and a sign-in with another
    account that waited is turned away.
    """
    hold_tenant(arrival.tenant_id)
    if arrival.account is not None:
        hold_account(arrival.tenant_id, arrival.registration, arrival.account)
    row = _row_for(arrival)
    version = slots.seize(row.pk)
    row = Connection.objects.select_for_update(no_key=True).get(pk=row.pk)
    _write(row, arrival)
    credentials.store(row, version, arrival.credential, arrival.life_seconds, new_grant=True)
    MintedToken.objects.filter(connection=row).delete()
    orphans.to_be_revoked(row, CredentialOrphan.Outcome.PARKED)
    slots.schedule(row.pk, version, due_in_seconds=None if row.state == State.SUSPENDED else _due_in(arrival))
    if arrival.session is not None:
        ConnectSession.objects.filter(pk=arrival.session.pk).update(connection=row)
    _announce(row, arrival, version)
    return row


def hold_tenant(tenant_id: UUID) -> None:
    """Let nobody begin to delete the tenant until the transaction ends. Raises TenantEnded. Effects: a lock."""
    if not ending.stands(tenant_id):
        raise TenantEnded


def hold_account(tenant_id: UUID, registration: ClientRegistration, account: ExternalAccount) -> None:
    """Let nobody else connect this account until the transaction ends. Raises CompanyTaken. Effects: a lock."""
    environment = registration.environment
    # Two at once wait for each other here: else each would find no connection yet, and make one.
    accounts.lock(
        provider_id=registration.provider_id,
        environment=environment,
        issuer=account.issuer,
        subject=account.subject,
    )
    if directory.provider(registration.provider_id).definition.exclusive_accounts:
        others = _at_account(account).filter(
            provider_id=registration.provider_id, registration__environment=environment
        )
        others = others.exclude(tenant_id=tenant_id)
        held = others.exclude(state__in=(State.PENDING, State.DISCONNECTED)).first()
        if held is not None:
            raise CompanyTaken(held.pk)


def known_connection(
    tenant_id: UUID, registration: ClientRegistration, label: str, account: ExternalAccount
) -> Connection | None:
    """Return the tenant's connection to this account, if there is one."""
    rows = _at_account(account).filter(tenant_id=tenant_id, registration=registration, label=label)
    return rows.order_by("created_at").first()


def _at_account(account: ExternalAccount) -> QuerySet[Connection]:
    return Connection.objects.filter(external_issuer=account.issuer, external_subject=account.subject)


def _row_for(arrival: Arrival) -> Connection:
    """The connection to repair; else the one this account has here already; else a new one."""
    found = arrival.repaired
    if found is None and arrival.account is not None:
        found = known_connection(arrival.tenant_id, arrival.registration, arrival.label, arrival.account)
    return found or Connection.objects.create(
        tenant_id=arrival.tenant_id,
        registration=arrival.registration,
        provider_id=arrival.registration.provider_id,
        label=arrival.label,
    )


def _write(row: Connection, arrival: Arrival) -> None:
    granted.note(row, row.scopes_granted, arrival.granted, actor=arrival.actor)
    row.scopes_asked, row.scopes_granted = list(arrival.asked), list(arrival.granted)
    if arrival.account is not None:
        row.external_issuer, row.external_subject = arrival.account.issuer, arrival.account.subject
        row.external_name = arrival.account.name
    fields = ["scopes_asked", "external_issuer", "external_subject", "external_name"]
    row.save(update_fields=fields)
    Connection.objects.filter(pk=row.pk).update(connected_at=Now())


def _due_in(arrival: Arrival) -> float | None:
    held, provider = arrival.credential, directory.provider(arrival.registration.provider_id)
    renewable = isinstance(held, OAuthCredential) and (held.refresh_token is not None or held.entered is not None)
    if not renewable or RENEWS not in provider.capabilities:
        return None
    traits = provider.traits(credentials.registration_without_secrets(arrival.registration))
    return schedule.due_in(arrival.life_seconds, random.random(), traits)  # noqa: S311  jitter


def _announce(row: Connection, arrival: Arrival, version: int) -> None:
    actor = arrival.actor
    audit.record_for(row, "credential.stored", actor, version=version, account=row.external_name)
    if row.state == State.SUSPENDED:
        # A customer with an older link brings new tokens, but only staff end what staff began.
        return
    missing = sorted(set(arrival.asked) - set(arrival.granted))
    if arrival.unverified:
        states.move(row, State.DEGRADED, Reason.ACCOUNT_UNVERIFIED, actor=actor, settled=True)
    elif missing:
        states.move(row, State.DEGRADED, Reason.SCOPE_MISSING, actor=actor, settled=True, missing=missing)
    else:
        states.move(row, State.CONNECTED, actor=actor, settled=True)
