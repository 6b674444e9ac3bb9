"""Walk the authorization flow without the hosted pages: services on our side, real HTTP at the sandbox."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from broker.services import authorize, sessions
from tenants import audit
from tenants.models import AuthorizationRequest, Connection, ConnectSession, Tenant
from tests import people
from tests.fakes.sandbox import plain_client, sign_in_and_consent


def run(session: ConnectSession, **at_the_sandbox: Any) -> AuthorizationRequest:
    """Press the button, sign in, consent, and hand the answer to the broker."""
    started = authorize.begin(session, session.providers[0])
    return come_back(started, **at_the_sandbox)


def come_back(started: authorize.Started, **at_the_sandbox: Any) -> AuthorizationRequest:
    with plain_client() as browser:
        answer = sign_in_and_consent(browser, started.url, **at_the_sandbox)
    return deliver(started, answer)


def deliver(started: authorize.Started, answer: str) -> AuthorizationRequest:
    parts = urlsplit(answer)
    redirect_key = parts.path.rsplit("/", 1)[-1]
    return authorize.complete(redirect_key, parse_qsl(parts.query), lambda _flow_id: started.browser_secret)


def connector(settled: people.People) -> Callable[..., Connection]:
    def connect(tenant: Tenant | None = None, *, repair: Connection | None = None, **at_the_sandbox: Any) -> Connection:
        link = sessions.create(
            tenant or settled.aalto, [people.PROVIDER], connection=repair, actor=audit.staff("tester")
        )
        flow = run(link.session, **at_the_sandbox)
        assert flow.outcome == "connected", flow.outcome
        return Connection.objects.get(pk=flow.session.connection_id)

    return connect
