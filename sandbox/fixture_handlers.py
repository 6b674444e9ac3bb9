"""The control API's part for fixtures: /_sandbox/systems/{system}/{kind}/{id}, and the environments."""

from typing import Any

import msgspec
from aiohttp import web

from sandbox.control import json_object
from sandbox.environments import environments
from sandbox.errors import ControlError
from sandbox.fixtures import Kind, thing_of
from sandbox.state import Sandbox
from sandbox.systems import system


def show_environments(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET environments: by provider id, what a catalogue file says of an environment on this sandbox."""
    return environments(sandbox.issuer, send_iss=sandbox.options.response_iss == "send")


def show_fixture(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET systems/{system}/{kind}/{id}."""
    return msgspec.to_builtins(_there(sandbox, request))


def put_fixture(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """PUT systems/{system}/{kind}/{id}: the whole thing; what is not given is as by default."""
    return _kept(sandbox, request, json_object(body))


def change_fixture(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """PATCH systems/{system}/{kind}/{id}: only what is given changes."""
    return _kept(sandbox, request, {**msgspec.to_builtins(_there(sandbox, request)), **json_object(body)})


def delete_fixture(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """DELETE systems/{system}/{kind}/{id}."""
    _there(sandbox, request)
    return {"deleted": sandbox.fixtures.delete(_kind(request), request.match_info["id"])}


def _kept(sandbox: Sandbox, request: web.Request, members: dict[str, Any]) -> Any:
    kind = _kind(request)
    thing = thing_of(kind, members)
    sandbox.fixtures.put(kind, request.match_info["id"], thing)
    return msgspec.to_builtins(thing)


def _there(sandbox: Sandbox, request: web.Request) -> Any:
    kind, identifier = _kind(request), request.match_info["id"]
    thing = sandbox.fixtures.find(kind, identifier)
    if thing is None:
        raise ControlError(f"no {kind.system}/{kind.name}/{identifier}", status=404)
    return thing


def _kind(request: web.Request) -> Kind[Any]:
    owner, name = system(request.match_info["system"]), request.match_info["kind"]
    kind = owner.kind(name)
    if kind is None:
        known = ", ".join(one.name for one in owner.kinds) or "none"
        raise ControlError(f"{owner.name} has no kind {name}; it has {known}")
    return kind
