"""Maventa: its paths and what the control API may put into it."""

from collections.abc import Callable

from sandbox import maventa_api as api
from sandbox import maventa_token
from sandbox.exchange import Exchange, Reply
from sandbox.maventa_accounts import COMPANIES, NAME, OPERATORS, SHAPES, VENDORS
from sandbox.pipeline import Endpoint
from sandbox.state import Sandbox
from sandbox.system import System

GET, POST = ("GET",), ("POST",)
Handler = Callable[[Sandbox, Exchange], Reply]


def _invoices(sandbox: Sandbox, exchange: Exchange) -> Reply:
    return (api.send_invoice if exchange.request.method == "POST" else api.invoices)(sandbox, exchange)


def _api(handler: Handler, methods: tuple[str, ...] = GET) -> Endpoint:
    return Endpoint("maventa.api", handler, methods, shapes=SHAPES)


SYSTEM = System(
    NAME,
    {
        "/maventa/oauth2/token": Endpoint(
            "maventa.token", maventa_token.token, POST, maventa_token.identify, shapes=SHAPES
        ),
        "/maventa/oauth2/current": _api(api.current),
        "/maventa/status/authenticated": _api(api.authenticated),
        "/maventa/v1/companies": _api(api.companies),
        "/maventa/v1/companies/{company}": _api(api.company),
        "/maventa/v1/company/authorization": _api(api.authorization),
        "/maventa/v1/invoices": _api(_invoices, (*GET, *POST)),
    },
    kinds=(VENDORS, COMPANIES, OPERATORS),
)
