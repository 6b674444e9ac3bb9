"""Prove a credential by one real call: what a customer typed in, before any of it is kept."""

from dataclasses import dataclass, replace
from typing import Protocol

from django.utils import timezone

from broker.services import credentials, directory
from providers.definition import ProviderDefinition
from providers.errors import AccountUnverified, UnsupportedOperation
from providers.interface import HANDS_OUT_TOKENS, VERIFIES, Mints, Verifies
from providers.interface import Provider as AnyKind
from providers.messages import ClientRegistration as Registration
from providers.messages import EnteredCredential, ExternalAccount, StoredCredential, VerifiedCredential
from providers.protocol.nonces import new_nonce


class Verifier(AnyKind, Verifies, Protocol):
    """A provider with a form."""

    @property
    def definition(self) -> ProviderDefinition: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What to keep.

    Shape:  unverified: the credential is good, but the provider has still to verify the company.
    Units:  expires_in in seconds; None where nothing was minted, or where it never expires.
    """

    asked: tuple[str, ...]
    credential: StoredCredential
    account: ExternalAccount
    expires_in: float | None
    unverified: bool = False


def verifier(provider_id: str) -> Verifier:
    """Return a provider whose credential is typed in. Raises ProviderNotAvailable, OperationUnsupported."""
    provider = directory.provider(provider_id)
    if VERIFIES in provider.capabilities and isinstance(provider, Verifies):
        return provider
    error = UnsupportedOperation(provider_id=provider_id, operation=VERIFIES, supported=provider.capabilities)
    raise directory.unsupported(error)


def verify(provider_id: str, registration: Registration, entered: EnteredCredential) -> Proven:
    """Return what the provider has accepted.

    Raises: the errors of `interface.Verifies.verify`; AccountUnverified only when nothing can be kept of it.
    Effects: as there, and one token request more for a company that is not verified yet.
    """
    provider = verifier(provider_id)
    try:
        verified = provider.verify(registration, entered, now=timezone.now(), nonce=new_nonce())
    except AccountUnverified as error:
        if isinstance(error.verified, VerifiedCredential):
            return _proven(provider, registration, error.verified, unverified=True)
        return _unverified(provider, registration, entered, error)
    return _proven(provider, registration, verified)


def _proven(
    provider: Verifier, registration: Registration, verified: VerifiedCredential, *, unverified: bool = False
) -> Proven:
    return Proven(
        asked=provider.default_scopes(registration),
        credential=verified.credential,
        account=verified.account,
        expires_in=verified.expires_in,
        unverified=unverified,
    )


def _unverified(
    provider: Verifier, registration: Registration, entered: EnteredCredential, error: AccountUnverified
) -> Proven:
    """The credential is good, and waits for the provider: whose it is, only the customer has said so far."""
    lookup = provider.definition.external_account
    subject = entered.fields.get(lookup.entered_subject) if lookup else None
    if subject is None:
        raise error
    credential, expires_in = _token(provider, registration, entered)
    return Proven(
        asked=provider.default_scopes(registration),
        credential=credential,
        account=ExternalAccount(issuer=provider.issuer(registration), subject=subject.reveal()),
        expires_in=expires_in,
        unverified=True,
    )


def _token(
    provider: Verifier, registration: Registration, entered: EnteredCredential
) -> tuple[StoredCredential, int | None]:
    if HANDS_OUT_TOKENS not in provider.capabilities or not isinstance(provider, Mints):
        return entered, None
    asked = provider.default_scopes(registration)
    response = provider.mint(registration, entered, asked)
    return replace(credentials.merge(response, None, asked), entered=entered), response.expires_in
