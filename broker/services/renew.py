"""Renew one connection now, in this thread: for the API, feedback, admin and commands. Workers renew many at once."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from broker.errors import BrokerError
from broker.services import credentials, directory, presence, probing, renewal_steps, states
from broker.services.renewal_attempt import Outcome
from providers.errors import DefinitionError, ProviderError
from providers.interface import RENEWS
from tenants.models import Connection, Reason, RenewalSlot
from tenants.querysets import slots
from tenants.querysets.slots import Claim


def renew_now(connection_id: UUID, *, version: int | None = None, attempts: int | None = None) -> Outcome:
    """Renew whether due or not, unless the stored version is newer than `version` already.

    Shape:  attempts is how many had failed when the caller looked; with one more by now, that one's answer is theirs.
    Raises: nothing of the provider's; the Outcome says what came of it. BUSY means that somebody else holds the slot,
            UNSUPPORTED that there is nothing to renew with: nobody is at fault.
    Effects: at most one token request; rows as `renewal_outcomes` says.
    """
    if not can_renew(connection_id):
        return Outcome.UNSUPPORTED
    lease = settings.RENEWAL_LEASE_SECONDS
    claim = slots.claim_one(connection_id, owner=presence.owner(), lease_seconds=lease)
    if claim is not None and attempts is not None and claim.attempts > attempts:
        slots.release(claim)
        return Outcome.BUSY
    return _renew(claim, unless_newer_than=version) if claim else Outcome.BUSY


def can_renew(connection_id: UUID) -> bool:
    """Tell whether a connection that is in use has a way to a fresh credential without the customer.

    One that is not in use counts as renewable: that there is nothing to renew is found out under the claim.
    """
    row = Connection.objects.select_related("registration", "slot").filter(pk=connection_id).first()
    if row is None or row.state not in states.LIVE:
        return True
    try:
        provider = directory.provider(row.provider_id)
        traits = provider.traits(credentials.registration_without_secrets(row.registration))
    except (ProviderError, DefinitionError, BrokerError):
        # Whatever is wrong is found again on the way to the provider, and recorded there.
        return True
    parked = not hasattr(row, "slot") or row.slot.state == RenewalSlot.State.PARKED
    return RENEWS in provider.capabilities and not traits.access_token_never_expires and not parked


def renew_reported(connection_id: UUID, *, version: int) -> Outcome:
    """Renew because a caller got 401 with this version: at most once a minute for one version.

    An `invalid_grant` now needs no second look: the API and the token endpoint have each said no.
    """
    lease = settings.RENEWAL_LEASE_SECONDS
    claim = slots.claim_forced(connection_id, version, owner=presence.owner(), lease_seconds=lease)
    return _renew(claim, unless_newer_than=version, confirmed=True) if claim else Outcome.BUSY


def _renew(claim: Claim, *, unless_newer_than: int | None = None, confirmed: bool = False) -> Outcome:
    attempts, ended = renewal_steps.prepare([claim], confirmed=confirmed, unless_newer_than=unless_newer_than)
    if ended:
        return ended[0]
    marked = renewal_steps.mark(attempts)
    if not marked:
        return Outcome.BUSY
    return follow_up(renewal_steps.conclude([renewal_steps.send(marked[0])]), [marked[0].connection])[0]


def follow_up(outcomes: Sequence[Outcome], connections: Sequence[Connection]) -> list[Outcome]:
    """Return the outcomes; ask those providers once more that had still to verify the company.

    A token says nothing of the account behind it; asking the API does.
    Effects: at most one request for each such connection.
    """
    for outcome, row in zip(outcomes, connections, strict=True):
        if outcome is Outcome.RENEWED and row.reason == Reason.ACCOUNT_UNVERIFIED:
            probing.look_again(row.pk)
    return list(outcomes)
