"""Which path leads to which endpoint."""

from aiohttp import web

from sandbox import api, control_handlers, metadata, revocation, signin, token_endpoint
from sandbox.authorize import authorize
from sandbox.consent import take_consent
from sandbox.control import Handler, controlled
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.pipeline import Endpoint, served
from sandbox.state import Sandbox

LARGEST_BODY = 256 * 1024
GET, POST = ("GET",), ("POST",)


def _unknown(sandbox: Sandbox, exchange: Exchange) -> Reply:
    exchange.decide("not_found", exchange.request.path[:200])
    return json_reply(404, {"error": "not_found"})


VENDOR = {
    "/.well-known/openid-configuration": Endpoint("metadata", metadata.metadata, GET),
    "/.well-known/oauth-authorization-server": Endpoint("metadata", metadata.metadata, GET),
    "/.well-known/openid-configuration/jwks": Endpoint("jwks", metadata.jwks, GET),
    "/connect/authorize": Endpoint("authorize", authorize, GET),
    "/connect/token": Endpoint("token", token_endpoint.token, POST, token_endpoint.identify),
    "/connect/revocation": Endpoint("revocation", revocation.revocation, POST, revocation.identify),
    "/connect/userinfo": Endpoint("userinfo", api.userinfo, (*GET, *POST)),
    "/v2/companysettings": Endpoint("companysettings", api.companysettings, GET),
    "/v2/customers": Endpoint("customers", api.customers, GET),
}
PAGES = {
    "/account/sign-in/{walk}": ("sign_in", signin.show_sign_in, signin.take_sign_in),
    "/account/company/{walk}": ("company", signin.show_company, signin.take_company),
    "/account/consent/{walk}": ("consent", signin.show_consent, take_consent),
}
CONTROL: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "clients", control_handlers.list_clients),
    ("POST", "clients", control_handlers.create_client),
    ("PATCH", "clients/{client_id}", control_handlers.update_client),
    ("DELETE", "clients/{client_id}", control_handlers.delete_client),
    ("GET", "users", control_handlers.list_users),
    ("POST", "users", control_handlers.create_user),
    ("PUT", "users/{username}/password", control_handlers.change_password),
    ("GET", "grants", control_handlers.list_grants),
    ("POST", "grants/{grant}/withdraw", control_handlers.withdraw_grant),
    ("GET", "faults", control_handlers.list_faults),
    ("POST", "faults", control_handlers.add_fault),
    ("DELETE", "faults", control_handlers.clear_faults),
    ("GET", "latency", control_handlers.show_latency),
    ("PUT", "latency", control_handlers.set_latency),
    ("GET", "log", control_handlers.show_log),
    ("DELETE", "log", control_handlers.clear_log),
    ("POST", "reset", control_handlers.reset),
)


def build(sandbox: Sandbox) -> web.Application:
    """The aiohttp application over this state."""
    application = web.Application(client_max_size=LARGEST_BODY)
    router = application.router
    for path, endpoint in VENDOR.items():
        router.add_route("*", path, served(sandbox, endpoint))
    for path, (name, show, take) in PAGES.items():
        router.add_route("GET", path, served(sandbox, Endpoint(name, show, GET)))
        router.add_route("POST", path, served(sandbox, Endpoint(name, take, POST)))
    for method, path, handler in CONTROL:
        router.add_route(method, f"/_sandbox/{path}", controlled(sandbox, handler))
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    router.add_route("*", "/{path:.*}", served(sandbox, Endpoint("unknown", _unknown, methods)))
    return application
