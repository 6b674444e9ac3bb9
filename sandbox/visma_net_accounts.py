"""Visma.net Integrations: its API clients and users, and the site that they sign in to."""

import msgspec

from sandbox.clients import Client, ClientSettings
from sandbox.errors import OAuthError
from sandbox.fixtures import Kind
from sandbox.minted import mint_of
from sandbox.scopes import distinct
from sandbox.secrecy import digest
from sandbox.site import Site, entered_as_fixture
from sandbox.state import Sandbox
from sandbox.users import Company as SiteCompany
from sandbox.users import User

NAME, BASE, SCOPE = "visma-net", "/visma-net", "financialstasks"


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An API client, by its id."""

    secret: str
    redirect_uris: tuple[str, ...] = ()


class Company(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company that a user can open; licensed: whether it has the product that the API is for."""

    id: str
    name: str
    licensed: bool = True


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user, by name."""

    password: str
    companies: tuple[Company, ...] = ()


APPS = Kind(NAME, "apps", App)
USERS = Kind(NAME, "users", Person)
TOKENS = mint_of(NAME)


def _client(sandbox: Sandbox, client_id: str) -> Client | None:
    app = sandbox.fixtures.find(APPS, client_id)
    settings = ClientSettings(require_pkce=False)
    return Client(client_id, digest(app.secret), settings.with_redirect_uris(app.redirect_uris)) if app else None


def _person(sandbox: Sandbox, user_id: str) -> User | None:
    person = sandbox.fixtures.find(USERS, user_id) if user_id else None
    if person is None:
        return None
    return User(user_id, user_id, tuple(SiteCompany(one.name, one.id, one.id) for one in person.companies))


def judge(sandbox: Sandbox, client: Client, asked: dict[str, str]) -> str:
    """The scope of the authorization request: the only one there is.

    Raises: OAuthError invalid_scope.
    """
    if distinct(asked.get("scope", "")) != [SCOPE]:
        raise OAuthError("invalid_scope", f"the scope is {SCOPE}")
    return SCOPE


SITE = Site(
    name=NAME,
    base=BASE,
    product="Visma.net",
    choice="company",
    person=_person,
    entered=entered_as_fixture(USERS, _person),
    client=_client,
    words=lambda scope: "Do in Visma.net what you can do, in every company that you can open",
    chooses=lambda scope: False,
)
