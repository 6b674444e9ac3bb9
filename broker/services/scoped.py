"""Give a token for a set of scopes of the caller's choice, where the provider makes such tokens.

Fresh: one query, one unseal, no write. Not fresh: `minting`, or wait for whoever is minting already, up to a deadline.
"""

import dataclasses
import random
import time
from functools import partial

from broker import errors
from broker.services import admission, awaiting, counts, credentials, directory, fingerprints, issue, minting, on_demand
from broker.services.admission import Find
from broker.services.awaiting import Came
from broker.services.callers import PresentedKey
from broker.services.issue import IssuedToken, Wanted
from broker.services.minting import Minted
from broker.services.renewal_attempt import Outcome
from providers.errors import RequestRefused
from providers.interface import MINTS_SCOPES
from providers.messages import ClientRegistration as Registration
from providers.registry import AnyProvider
from tenants.errors import TenantsError
from tenants.querysets import hand_out
from tenants.querysets.hand_out import HandOut, Named


def issue_scoped_token(presented: PresentedKey, named: Named, scopes: tuple[str, ...], wanted: Wanted) -> IssuedToken:
    """Return a token for exactly these scopes that is valid for at least min_ttl seconds.

    The registration's own scopes are the connection's credential, whoever names them.
    Raises: InvalidScope, OperationUnsupported, and the errors of `issue_access_token`.
    Effects: none when fresh; otherwise those of `minting`.
    """
    find = partial(hand_out.for_scopes, named=named, scope_key=minting.key_of(scopes))
    row = admission.admit(presented, admission.look_up(presented, find), MINTS_SCOPES)
    provider = directory.provider(row.provider_id)
    check_scopes(provider, scopes)
    if is_own(provider, _registration(row), scopes):
        return issue.hand_out(presented, issue.usable(presented, find, MINTS_SCOPES, row, wanted))
    if _fresh(row, wanted):
        return _hand_out(presented, row, scopes, used=True)
    return _hand_out(presented, _minted(presented, find, row, scopes, wanted), scopes, used=False)


def check_scopes(provider: AnyProvider, scopes: tuple[str, ...]) -> None:
    """Raises InvalidScope naming the first scope that the provider does not have, and those that it has."""
    for scope in scopes:
        try:
            provider.check_scopes((scope,))
        except RequestRefused:
            there = [entry.name for entry in provider.definition.scopes_supported]
            raise errors.InvalidScope(
                f"{provider.id} has no scope {scope}; there is {', '.join(there)}",
                extra={"scope": scope, "supported": there},
            ) from None


def is_own(provider: AnyProvider, registration: Registration, scopes: tuple[str, ...]) -> bool:
    """Tell whether these are the scopes that the connection's own credential is for."""
    return set(scopes) == set(provider.default_scopes(registration))


def _registration(row: HandOut) -> Registration:
    assert row.minted is not None
    return dataclasses.replace(admission.registration(row), scopes=tuple(row.minted.registration_scopes))


def _fresh(row: HandOut, wanted: Wanted) -> bool:
    found = row.minted
    assert found is not None
    return found.sealed is not None and admission.lives_long_enough(
        found.seconds_left, found.life_seconds, wanted.min_ttl
    )


def _minted(presented: PresentedKey, find: Find, row: HandOut, scopes: tuple[str, ...], wanted: Wanted) -> HandOut:
    """Mint, or wait for whoever does, and return the row that is fresh then."""
    assert row.connection_id is not None
    assert row.minted is not None
    if wanted.min_ttl is not None and row.minted.sealed is not None and wanted.min_ttl > row.minted.life_seconds:
        raise errors.MinTtlUnattainable(f"this provider's tokens live for {row.minted.life_seconds:.0f} s")
    deadline = time.monotonic() + issue.patience(wanted)
    came = _mint(row, scopes, issue.patience(wanted))
    while True:
        row = admission.admit(presented, find(presented.key_id), MINTS_SCOPES, cost=0)
        if _fresh(row, wanted):
            return row
        assert row.connection_id is not None
        if came.outcome is not Outcome.BUSY or time.monotonic() > deadline:
            return _stale_but_valid(row, scopes, wanted, came)
        time.sleep(random.uniform(0.1, 0.25))  # noqa: S311  jitter
        # Whoever was at it may have failed; that is remembered, and ends the wait.
        came = minting.standing(row.connection_id, scopes)


def _mint(row: HandOut, scopes: tuple[str, ...], wait_seconds: float) -> Minted:
    assert row.connection_id is not None
    assert row.minted is not None
    key = ("mint", row.connection_id, minting.key_of(scopes))
    work = partial(minting.mint_now, row.connection_id, scopes, version=row.minted.version or 0)
    lane = (row.provider_id, row.client_id)
    return on_demand.within(wait_seconds, key, work, lane=lane) or Minted(outcome=Outcome.BUSY)


def _stale_but_valid(row: HandOut, scopes: tuple[str, ...], wanted: Wanted, came: Minted) -> HandOut:
    """A token that still works beats a refusal, unless the caller named a min_ttl: that is a promise."""
    assert row.minted is not None
    if wanted.min_ttl is None and row.minted.seconds_left is not None and row.minted.seconds_left > 1:
        return admission.in_trouble(row, awaiting.note_of(came.outcome))
    if came.outcome is Outcome.INVALID_SCOPE:
        raise errors.InvalidScope(f"the provider gives this connection no token for {' '.join(scopes)}")
    error = awaiting.error_of(Came(outcome=came.outcome))
    error.retry_after = max(error.retry_after or 0, came.retry_after) or None
    raise error


def _hand_out(presented: PresentedKey, row: HandOut, scopes: tuple[str, ...], *, used: bool) -> IssuedToken:
    """`used`: it was there already, which is what makes it worth renewing."""
    found = row.minted
    assert row.connection_id is not None
    assert found is not None
    assert found.id is not None
    assert found.sealed is not None
    key = row.minted_key
    try:
        token = credentials.open_minted(key, row_id=found.id, version=found.version, sealed=found.sealed)
    except TenantsError:
        raise errors.StorageFault() from None
    issued = issue.assemble(
        row.connection_id,
        admission.registration(row),
        token,
        expires_at=found.expires_at,
        version=found.version,
        degraded=admission.degraded(row),
        asked=" ".join(scopes),
        granted=" ".join(token.scope),
    )
    counts.reads.add_minted(presented, row, lambda: fingerprints.of_credential(key, token), used=used)
    return issued
