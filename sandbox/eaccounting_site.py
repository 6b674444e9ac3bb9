"""eAccounting's authorization server: its people, its clients, and which requests it takes."""

from sandbox.clients import Client
from sandbox.errors import OAuthError
from sandbox.scopes import MANDATORY, SCOPES, distinct, unknown
from sandbox.site import Site
from sandbox.state import Sandbox
from sandbox.users import User

SERVICE = "service:44643eb1-3f76-4c1c-a672-402ae8085934"


def _person(sandbox: Sandbox, user_id: str) -> User | None:
    return sandbox.users.get(user_id)


def _entered(sandbox: Sandbox, username: str, password: str) -> User | None:
    return sandbox.users.signed_in(username, password)


def _client(sandbox: Sandbox, client_id: str) -> Client | None:
    return sandbox.clients.get(client_id)


SITE = Site(
    name="eaccounting",
    base="",
    product="eAccounting",
    choice="company",
    person=_person,
    entered=_entered,
    client=_client,
    words=lambda scope: SCOPES[scope],
    chooses=lambda scope: True,
)


def judge(sandbox: Sandbox, client: Client, asked: dict[str, str]) -> str:
    """The scope of the request.

    Raises: OAuthError.
    Source: the vendor's authentication page: `ea:api` is mandatory.
    """
    _check_acr(asked.get("acr_values", ""))
    scope = asked.get("scope", "")
    if strange := unknown(scope, client.settings.scopes):
        raise OAuthError("invalid_scope", f"unknown or not allowed: {' '.join(strange)}"[:200])
    if MANDATORY not in distinct(scope):
        raise OAuthError("invalid_scope", f"{MANDATORY} is mandatory")
    return " ".join(distinct(scope))


def _check_acr(acr_values: str) -> None:
    """Source: the vendor's page on its identity server; `service:` names the product, here eAccounting."""
    services = [one.lower() for one in acr_values.split() if one.lower().startswith("service:")]
    if any(one != SERVICE for one in services):
        raise OAuthError("invalid_request", "acr_values names a service other than eAccounting")
