"""Systems that a customer signs in to, and that answer otherwise: by a post, or with several companies."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from broker.services import authorize, sessions
from broker.services.authorize import Started
from tenants.models import AuthorizationRequest, ClientRegistration, Connection, ConnectSession, Tenant
from tests import people
from tests.broker.services.typed_in import registered
from tests.fakes.sandbox import SandboxProcess, plain_client, walk_pages

USER, PASSWORD = "anna@acme.example", "sandbox-password"
ERP, INTEGRATIONS, DINERO = "visma-net-erp", "visma-net", "dinero"
ACME, BIRCH = "8f14e45f-ea5d-4e6b-9d3e-000000000001", "8f14e45f-ea5d-4e6b-9d3e-000000000002"


def visma_connect(sandbox: SandboxProcess, **app: Any) -> ClientRegistration:
    """Visma Net ERP with one user of one tenant; `app` is of the application at the sandbox."""
    system = sandbox.system("visma-connect")
    members = {"secret": "s" * 32, "redirect_uris": [f"http://127.0.0.1:8000/cb/key-{ERP}"], **app}
    system.put("apps", "isv_aalto", members)
    system.put("tenants", ACME, {"name": "Acme Oy"})
    system.put("users", USER, {"password": PASSWORD, "tenants": [ACME]})
    return registered(ERP, "isv_aalto", "s" * 32)


def visma_net(sandbox: SandboxProcess, *companies: str) -> ClientRegistration:
    """Visma.net Integrations with one user who can open these companies."""
    system = sandbox.system("visma-net")
    uri = f"http://127.0.0.1:8000/cb/key-{INTEGRATIONS}"
    system.put("apps", "aalto_client", {"secret": "s" * 32, "redirect_uris": [uri]})
    reachable(sandbox, *companies)
    return registered(INTEGRATIONS, "aalto_client", "s" * 32)


def dinero(sandbox: SandboxProcess) -> ClientRegistration:
    """Dinero with one user of two companies, on Visma Connect."""
    system = sandbox.system("visma-connect")
    uri = f"http://127.0.0.1:8000/cb/key-{DINERO}"
    system.put("apps", "isv_dinero", {"secret": "s" * 32, "redirect_uris": [uri]})
    for tenant, name in ((ACME, "Acme ApS"), (BIRCH, "Birch ApS")):
        system.put("tenants", tenant, {"name": name})
    system.put("users", USER, {"password": PASSWORD, "tenants": [ACME, BIRCH]})
    return registered(DINERO, "isv_dinero", "s" * 32)


def reachable(sandbox: SandboxProcess, *companies: str) -> None:
    """Have the user open exactly these companies; a company's name is its id in capitals."""
    entries = [{"id": each, "name": each.upper()} for each in companies]
    sandbox.system("visma-net").put("users", USER, {"password": PASSWORD, "companies": entries})


def link(tenant: Tenant, provider_id: str, *, repair: Connection | None = None) -> ConnectSession:
    return sessions.create(tenant, [provider_id], connection=repair, actor=people.STAFF).session


def sign_in(started: Started, **person: Any) -> tuple[str, list[tuple[str, str]]]:
    """The redirect key that the pages end at, and the answer they bring."""
    with plain_client() as browser:
        url, posted = walk_pages(browser, started.url, username=USER, password=PASSWORD, **person)
    parts = urlsplit(url)
    return parts.path.rsplit("/", 1)[-1], list(posted.items()) or parse_qsl(parts.query)


def run(session: ConnectSession, **person: Any) -> AuthorizationRequest:
    """Press the button, sign in, and hand the answer to the broker the way it came."""
    provider_id = session.providers[0]
    started = authorize.begin(session, provider_id)
    redirect_key, answer = sign_in(started, **person)

    def secret(_: object) -> str:
        return started.browser_secret

    if provider_id == INTEGRATIONS:
        return authorize.complete(redirect_key, answer, secret)
    return authorize.complete_posted(redirect_key, authorize.take_posted(redirect_key, answer), secret)
