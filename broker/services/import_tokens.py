"""Whether tokens from elsewhere work, asked with the access token only: a refresh token may be good for one use."""

from django.utils import timezone

from broker.services import directory
from broker.services.import_lines import LineRefused, Tokens
from broker.services.verifying import Proven
from providers.generic import OAuthProvider
from providers.interface import CHOOSES_COMPANY, PROBES
from providers.messages import ClientRegistration as Registration
from providers.messages import Company, ExternalAccount, OAuthCredential
from providers.protocol.nonces import new_nonce

# Nobody knows when it ends: it serves for a moment, and is renewed.
_UNKNOWN_LIFE_SECONDS = 60.0
_ENDED_LIFE_SECONDS = 1.0


def verify_tokens(
    provider_id: str, registration: Registration, tokens: Tokens, external_account: str
) -> tuple[Proven, bool]:
    """Return what to keep, and whether the provider has accepted it.

    Raises: LineRefused, ProviderNotAvailable, OperationUnsupported, and the provider's errors.
    Effects: at most one request to the provider's API.
    """
    provider = directory.authorizing(provider_id)
    asked = provider.default_scopes(registration)
    held = OAuthCredential(
        access_token=tokens.access_token,
        token_type=tokens.token_type,
        refresh_token=tokens.refresh_token,
        scope=asked if tokens.scope is None else tokens.scope,
        extras=tokens.extras,
    )
    life = _life_seconds(provider, registration, tokens)
    if life is not None and life <= 0:
        if held.refresh_token is None:
            raise LineRefused("expired", "access_token", "it has ended, and there is no refresh token")
        held, account = _unasked(provider, registration, held, external_account)
        return Proven(asked=asked, credential=held, account=account, expires_in=_ENDED_LIFE_SECONDS), False
    held, account, accepted = _asked(provider, registration, held, external_account)
    return Proven(asked=asked, credential=held, account=account, expires_in=life), accepted


def _life_seconds(provider: OAuthProvider, registration: Registration, tokens: Tokens) -> float | None:
    traits = provider.traits(registration)
    if traits.access_token_never_expires:
        return None
    if tokens.expires_at is not None:
        life = (tokens.expires_at - timezone.now()).total_seconds()
    elif tokens.expires_in is not None:
        life = tokens.expires_in
    elif tokens.refresh_token is not None:
        life = _UNKNOWN_LIFE_SECONDS
    else:
        life = traits.access_token_lifetime_default_seconds
    return min(life, traits.access_token_lifetime_maximum_seconds)


def _asked(
    provider: OAuthProvider, registration: Registration, held: OAuthCredential, external_account: str
) -> tuple[OAuthCredential, ExternalAccount, bool]:
    if CHOOSES_COMPANY in provider.capabilities:
        return *_company(provider, registration, held), True
    if PROBES not in provider.capabilities:
        return *_unasked(provider, registration, held, external_account), False
    account = provider.probe(registration, held, now=timezone.now(), nonce=new_nonce())
    return held, account or _named(provider, registration, external_account), True


def _company(
    provider: OAuthProvider, registration: Registration, held: OAuthCredential
) -> tuple[OAuthCredential, ExternalAccount]:
    companies, extra = provider.companies(registration, held), _company_extra(provider)
    named = str(held.extras.get(extra, ""))
    if not named and len(companies) > 1:
        raise LineRefused("company_needed", "extras", f"the tokens reach several companies: name one as {extra}")
    for company in companies:
        if named in ("", company.id):
            return provider.choose(registration, held, company)
    raise LineRefused("unknown_company", "extras", f"{extra} is none of the companies that the tokens reach")


def _unasked(
    provider: OAuthProvider, registration: Registration, held: OAuthCredential, external_account: str
) -> tuple[OAuthCredential, ExternalAccount]:
    """Whose it is without asking anybody: the line says so, or the token itself."""
    if CHOOSES_COMPANY in provider.capabilities:
        extra = _company_extra(provider)
        named = str(held.extras.get(extra, ""))
        if not named:
            raise LineRefused("company_needed", "extras", f"the company as {extra}: the tokens cannot be asked")
        return provider.choose(registration, held, Company(id=named, name=""))
    lookup = provider.definition.external_account
    if lookup is not None and lookup.access_token_claim and not lookup.endpoint:
        account = provider.identify(registration, held)
        if account is not None:
            return held, account
    return held, _named(provider, registration, external_account)


def _company_extra(provider: OAuthProvider) -> str:
    choice = provider.definition.company_choice
    assert choice is not None
    return choice.extra


def _named(provider: OAuthProvider, registration: Registration, external_account: str) -> ExternalAccount:
    if not external_account:
        # A connection without account would be made once more by every further run.
        raise LineRefused("account_needed", "external_account", "whose account it is: the provider cannot be asked")
    return ExternalAccount(issuer=provider.issuer(registration), subject=external_account)
