"""Visma Connect's scopes: which product each opens, and for whom."""

from dataclasses import dataclass

from sandbox.scopes import distinct

IDENTITY = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your mail address",
    "tenants": "See which companies you belong to",
    "offline_access": "Stay connected while you are away",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """An API that scopes begin with the name of.

    Shape:  path is where it is on the sandbox, and so its audience. people and services say whom tokens are made
            for; chooses whether a person chooses a tenant; needs_tenant whether a service has to name one.
    """

    path: str
    words: str
    people: bool = False
    services: bool = False
    chooses: bool = True
    needs_tenant: bool = True


ERP, NXT, DINERO, YUKI = "/visma-net-erp", "/business-nxt", "/dinero", "/yuki"
RESOURCES = {
    "vismanet_erp_interactive_api": Resource(ERP, "Use Visma Net ERP in your name", people=True),
    "vismanet_erp_service_api": Resource(ERP, "Use Visma Net ERP", services=True),
    "visma.net.erp.salesorder": Resource(ERP, "Use sales orders", people=True, services=True),
    "business-graphql-api": Resource(NXT, "Use Business NXT in your name", people=True),
    # The vendor's page has tenant_id here, and public clients that work leave it out.
    "business-graphql-service-api": Resource(NXT, "Use Business NXT", services=True, needs_tenant=False),
    # Dinero's companies are chosen by the path of each call, not at the sign-in.
    "dineropublicapi": Resource(DINERO, "Use Dinero in your name", people=True, chooses=False),
    "yuki-nl-api": Resource(YUKI, "Use Yuki in your name", people=True),
    "yuki-be-api": Resource(YUKI, "Use Yuki in your name", people=True),
    "yukiapi": Resource(YUKI, "Use Yuki in your name", people=True),
}
# The API behind scopes that only an application's own list has.
OTHER = Resource("/other", "Use a product in your name", people=True, services=True)


def resource_of(scope: str, own: tuple[str, ...]) -> Resource | None:
    """The API behind the scope: a known one, or any that the application has in its own list."""
    name, _, right = scope.partition(":")
    found = RESOURCES.get(name) if right else None
    return found or (OTHER if scope in own else None)


def words(scope: str) -> str:
    """What the scope allows, for the consent page."""
    return IDENTITY.get(scope) or RESOURCES.get(scope.partition(":")[0], OTHER).words


def chooses(scope: str) -> bool:
    """Whether the person is asked for a tenant."""
    names = [one.partition(":")[0] for one in distinct(scope) if one not in IDENTITY]
    return any(RESOURCES.get(name, OTHER).chooses for name in names)


def audiences(issuer: str, scope: str) -> list[str]:
    """The APIs that a token with this scope is for."""
    names = [one.partition(":")[0] for one in distinct(scope) if one not in IDENTITY]
    return list(dict.fromkeys(issuer + RESOURCES.get(name, OTHER).path for name in names))
