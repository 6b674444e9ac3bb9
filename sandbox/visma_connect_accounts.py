"""Visma Connect: its applications, tenants and users, and the site that they sign in to."""

from typing import Literal

import msgspec

from sandbox.clients import TWO_YEARS, Client, ClientSettings
from sandbox.fixtures import Kind
from sandbox.secrecy import digest
from sandbox.site import Site, entered_as_fixture
from sandbox.state import Sandbox
from sandbox.users import Company, User
from sandbox.visma_connect_scopes import chooses, words

NAME, BASE = "visma-connect", "/visma-connect"


class Tenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant, by its id.

    Shape:  api_role: whether its users have the role that lets them use APIs. apps are the service applications
            that its administrator has granted. type `customer` is the contract's tenant, not a company's.
    """

    name: str = "Acme Oy"
    api_role: bool = True
    apps: tuple[str, ...] = ()
    type: Literal["company", "customer"] = "company"


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application, by its client id.

    Shape:  scopes null: all that the sandbox knows, else those and the ones that tell who somebody is. refresh
            `off` is the portal's switch "Offline access". response_modes are those that the application uses.
    """

    secret: str
    redirect_uris: tuple[str, ...] = ()
    type: Literal["web", "service"] = "web"
    scopes: tuple[str, ...] | None = None
    refresh: Literal["one-time", "re-use", "off"] = "one-time"
    grace_seconds: float = 0.0
    access_token_seconds: int = 3600
    refresh_token_seconds: int = TWO_YEARS
    require_pkce: bool = True
    response_modes: tuple[Literal["form_post", "query", "fragment"], ...] = ("form_post",)
    response_iss: Literal["send", "omit", "forge"] = "send"


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user, by name; tenants are ids."""

    password: str
    tenants: tuple[str, ...] = ()


TENANTS = Kind(NAME, "tenants", Tenant)
APPS = Kind(NAME, "apps", App)
USERS = Kind(NAME, "users", Person)


def client_of(client_id: str, app: App) -> Client:
    """The application as the code that all authorization servers share knows it."""
    settings = ClientSettings(
        redirect_uris=app.redirect_uris,
        scopes=app.scopes,
        access_token_seconds=app.access_token_seconds,
        refresh_token_seconds=app.refresh_token_seconds,
        grace_seconds=app.grace_seconds,
        rotation="always" if app.refresh == "one-time" else "none",
        response_iss=app.response_iss,
        require_pkce=app.require_pkce,
        response_modes=app.response_modes,
    )
    return Client(client_id, digest(app.secret), settings)


def _client(sandbox: Sandbox, client_id: str) -> Client | None:
    app = sandbox.fixtures.find(APPS, client_id)
    return client_of(client_id, app) if app else None


def _person(sandbox: Sandbox, user_id: str) -> User | None:
    """The user with those tenants of theirs that there are."""
    person = sandbox.fixtures.find(USERS, user_id) if user_id else None
    if person is None:
        return None
    found = ((one, sandbox.fixtures.find(TENANTS, one)) for one in person.tenants)
    return User(user_id, user_id, tuple(Company(tenant.name, one, one) for one, tenant in found if tenant))


SITE = Site(
    name=NAME,
    base=BASE,
    product="Visma Connect",
    choice="tenant",
    person=_person,
    entered=entered_as_fixture(USERS, _person),
    client=_client,
    words=words,
    chooses=chooses,
)
