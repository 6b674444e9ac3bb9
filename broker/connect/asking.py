"""What the page asks the customer for, in words: from the definition, in the language of the page."""

from dataclasses import dataclass
from urllib.parse import quote

from broker.connect.sentences import Sentence, sentences
from broker.errors import InvalidRequest, ProviderNotAvailable
from broker.services import credentials, directory, sessions
from providers.interface import AUTHORIZES
from tenants.models import ConnectSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One provider as the page shows it.

    Shape:  origin is where the browser will be sent: nowhere when there is a form to fill in on our own page. link
            is the provider's page where the customer gets what the form asks for, empty for none.
    """

    provider_id: str
    name: str
    origin: str
    by_form: bool
    link: str
    scopes: list[Sentence]
    needs: list[Sentence]
    after: list[Sentence]


def offers(session: ConnectSession) -> list[Asked]:
    """Return what can be connected through a link. Raises ProviderNotAvailable when nothing can, any more."""
    found = []
    for provider_id in session.providers:
        try:
            found.append(asked(session, provider_id))
        except ProviderNotAvailable:
            continue
    if not found:
        raise ProviderNotAvailable("no provider of this link has a client registration")
    return found


def asked(session: ConnectSession, provider_id: str) -> Asked:
    """Raises ProviderNotAvailable, InvalidRequest."""
    registration = credentials.registration_without_secrets(sessions.registration_of(session, provider_id))
    provider = directory.provider(provider_id)
    definition = provider.definition
    by_form = AUTHORIZES not in provider.capabilities
    return Asked(
        provider_id=provider_id,
        name=definition.display_name,
        origin="" if by_form else provider.authorization_origin(registration),
        by_form=by_form,
        link=definition.connect.link.replace("{client_id}", quote(registration.client_id, safe="")),
        scopes=sentences(definition.scope_description(one) for one in provider.default_scopes(registration)),
        needs=sentences(definition.connect.needs),
        after=sentences(definition.connect.after),
    )


def chosen(found: list[Asked], provider_id: str) -> Asked | None:
    """Return the offer that was picked, or the only one there is. Raises InvalidRequest for one not offered."""
    if not provider_id:
        return found[0] if len(found) == 1 else None
    picked = next((one for one in found if one.provider_id == provider_id), None)
    if picked is None:
        raise InvalidRequest("this link is for another provider")
    return picked


def account_name(session: ConnectSession) -> str:
    """Return what the customer knows the connected company by; some providers tell no name."""
    row = session.connection
    return (row.external_name or row.external_subject) if row else ""


def missing_scopes(session: ConnectSession, provider_id: str) -> list[Sentence]:
    """Return what was asked for and not granted, once connected."""
    row = session.connection
    if row is None:
        return []
    definition = directory.provider(provider_id).definition
    granted = set(row.scopes_granted)
    return sentences(definition.scope_description(one) for one in row.scopes_asked if one not in granted)
