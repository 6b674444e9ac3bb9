"""Which path leads to which endpoint."""

from aiohttp import web

from sandbox import bulk_grants, control_handlers, fixture_handlers
from sandbox.control import Handler, controlled
from sandbox.exchange import Exchange, Reply, json_reply
from sandbox.pipeline import Endpoint, served
from sandbox.state import Sandbox
from sandbox.system import System
from sandbox.systems import SYSTEMS

LARGEST_BODY = 256 * 1024
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def _unknown(sandbox: Sandbox, exchange: Exchange) -> Reply:
    exchange.decide("not_found", exchange.request.path[:200])
    return json_reply(404, {"error": "not_found"})


FIXTURE = "systems/{system}/{kind}/{id}"
CONTROL: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "clients", control_handlers.list_clients),
    ("POST", "clients", control_handlers.create_client),
    ("PATCH", "clients/{client_id}", control_handlers.update_client),
    ("DELETE", "clients/{client_id}", control_handlers.delete_client),
    ("GET", "users", control_handlers.list_users),
    ("POST", "users", control_handlers.create_user),
    ("PUT", "users/{username}/password", control_handlers.change_password),
    ("GET", "grants", control_handlers.list_grants),
    ("POST", "grants", bulk_grants.create_grants),
    ("POST", "grants/{grant}/withdraw", control_handlers.withdraw_grant),
    ("GET", "faults", control_handlers.list_faults),
    ("POST", "faults", control_handlers.add_fault),
    ("DELETE", "faults", control_handlers.clear_faults),
    ("GET", "latency", control_handlers.show_latency),
    ("PUT", "latency", control_handlers.set_latency),
    ("GET", "log", control_handlers.show_log),
    ("DELETE", "log", control_handlers.clear_log),
    ("POST", "reset", control_handlers.reset),
    ("GET", "environments", fixture_handlers.show_environments),
    ("GET", FIXTURE, fixture_handlers.show_fixture),
    ("PUT", FIXTURE, fixture_handlers.put_fixture),
    ("PATCH", FIXTURE, fixture_handlers.change_fixture),
    ("DELETE", FIXTURE, fixture_handlers.delete_fixture),
)


def build(sandbox: Sandbox) -> web.Application:
    """The aiohttp application over this state."""
    application = web.Application(client_max_size=LARGEST_BODY)
    router = application.router
    for system in SYSTEMS:
        _route(router, sandbox, system)
    for method, path, handler in CONTROL:
        router.add_route(method, f"/_sandbox/{path}", controlled(sandbox, handler))
    router.add_route("*", "/{path:.*}", served(sandbox, Endpoint("unknown", _unknown, METHODS)))
    return application


def _route(router: web.UrlDispatcher, sandbox: Sandbox, system: System) -> None:
    for path, endpoint in system.routes.items():
        posted = system.posts.get(path)
        router.add_route("*" if posted is None else "GET", path, served(sandbox, endpoint))
        if posted is not None:
            router.add_route("POST", path, served(sandbox, posted))
