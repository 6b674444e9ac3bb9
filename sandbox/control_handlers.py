"""The control API under /_sandbox/: what tests set up, break and read as evidence."""

import json
from typing import Any

import msgspec
from aiohttp import web

from sandbox.clients import Client, ClientSettings, defaults
from sandbox.control import decoded, json_object, number_of, text_of
from sandbox.errors import ControlError
from sandbox.faults import Fault
from sandbox.grants import Grant
from sandbox.secrecy import digest, new_token
from sandbox.state import Sandbox
from sandbox.users import Company, User


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """The body that creates a user."""

    username: str
    password: str
    companies: tuple[Company, ...] = ()


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a password."""

    password: str


def list_clients(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET clients."""
    return {"clients": [client.public() for client in sandbox.clients.all()]}


def create_client(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """POST clients: a generated id and secret unless given; the secret is shown this once."""
    given = json_object(body)
    client_id = text_of(given.pop("client_id", None) or new_token()[:16])
    secret = text_of(given.pop("client_secret", None) or new_token())
    if sandbox.clients.get(client_id) is not None:
        raise ControlError(f"there is already a client {client_id}", status=409)
    settings = _changed(defaults(sandbox.options), given)
    return {**sandbox.clients.save(client_id, digest(secret), settings).public(), "client_secret": secret}


def update_client(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """PATCH clients/{client_id}: only what is given changes."""
    client, given = _client(sandbox, request), json_object(body)
    secret = given.pop("client_secret", None)
    secret_hash = digest(text_of(secret)) if secret is not None else client.secret_hash
    settings = _changed(client.settings, given)
    return sandbox.clients.save(client.client_id, secret_hash, settings).public()


def delete_client(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """DELETE clients/{client_id}."""
    return {"deleted": sandbox.clients.delete(_client(sandbox, request).client_id)}


def list_users(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET users."""
    return {"users": [msgspec.to_builtins(user) for user in sandbox.users.all()]}


def create_user(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """POST users."""
    given = decoded(body, NewUser)
    return msgspec.to_builtins(sandbox.users.create(given.username, given.password, given.companies))


def change_password(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """PUT users/{username}/password: every grant and every session of the user dies, as at the vendor."""
    user = _user(sandbox, request)
    sandbox.users.set_password(user, decoded(body, NewPassword).password)
    sandbox.interactions.sign_out_user(user.id)
    return {"grants_revoked": sandbox.grants.revoke_of_user(user.id, "password_changed")}


def list_grants(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET grants?user=&client_id=&alive=true|false, oldest first."""
    shown = [_shown_grant(sandbox, grant) for grant in sandbox.grants.all()]
    for name in ("user", "client_id"):
        if wanted := request.query.get(name):
            shown = [one for one in shown if one[name] == wanted]
    if alive := request.query.get("alive"):
        shown = [one for one in shown if one["alive"] == (alive == "true")]
    return {"grants": shown}


def withdraw_grant(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """POST grants/{id}/withdraw: the person takes the consent back."""
    grant = sandbox.grants.get(request.match_info["grant"])
    if grant is None:
        raise ControlError("no such grant", status=404)
    return {"withdrawn": sandbox.grants.revoke(grant.id, "consent_withdrawn")}


def list_faults(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET faults: those that have not run out, and how many fired since the last clearing."""
    waiting = [msgspec.to_builtins(fault) for fault in sandbox.faults.waiting()]
    return {"faults": waiting, "fired": sandbox.faults.fired}


def add_fault(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """POST faults: queue one."""
    fault = decoded(body, Fault)
    if fault.seconds < 0 or (fault.times is not None and fault.times < 1) or not 0 <= fault.probability <= 1:
        raise ControlError("seconds >= 0, times >= 1 or null, probability between 0 and 1")
    sandbox.faults.add(fault)
    return msgspec.to_builtins(fault)


def clear_faults(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """DELETE faults."""
    sandbox.faults.clear()
    return {"faults": []}


def show_latency(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET latency."""
    return sandbox.latency


def set_latency(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """PUT latency: seconds by endpoint (`*` for all others); what is not named has none."""
    given = decoded(body, dict[str, float])
    if any(seconds < 0 for seconds in given.values()):
        raise ControlError("a latency is not negative")
    sandbox.latency.clear()
    sandbox.latency.update(given)
    return sandbox.latency


def show_log(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """GET log?since=&endpoint=&grant=&client_id=&decision=&presented=."""
    names = ("endpoint", "grant", "client_id", "decision", "presented")
    equal = {name: request.query.get(name, "") for name in names}
    entries = sandbox.journal.select(number_of(request.query.get("since", "0")), **equal)
    overlaps = sum(1 for entry in entries if entry.most_in_flight > 1)
    shown = [entry.public() for entry in entries]
    return {"entries": shown, "last_number": sandbox.journal.last_number, "overlaps": overlaps}


def clear_log(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """DELETE log; numbers go on."""
    sandbox.journal.clear()
    return {"last_number": sandbox.journal.last_number}


def reset(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """POST reset: everything as at the first start."""
    sandbox.reset()
    return {"reset": True}


def _changed(settings: ClientSettings, given: dict[str, Any]) -> ClientSettings:
    merged = {**msgspec.to_builtins(settings), **given}
    return decoded(json.dumps(merged).encode(), ClientSettings)


def _client(sandbox: Sandbox, request: web.Request) -> Client:
    client = sandbox.clients.get(request.match_info["client_id"])
    if client is None:
        raise ControlError("no such client", status=404)
    return client


def _user(sandbox: Sandbox, request: web.Request) -> User:
    user = sandbox.users.named(request.match_info["username"])
    if user is None:
        raise ControlError("no such user", status=404)
    return user


def _shown_grant(sandbox: Sandbox, grant: Grant) -> dict[str, Any]:
    user = sandbox.users.get(grant.user_id)
    company = user.company(grant.company_id) if user else None
    return {
        "id": grant.id,
        "client_id": grant.client_id,
        "user": user.username if user else grant.user_id,
        "company": company.name if company else grant.company_id,
        "scope": grant.scope,
        "created_at": grant.created_at,
        "alive": grant.revoked_at is None,
        "revoked_at": grant.revoked_at,
        "revoked_why": grant.revoked_why,
        "rotations": grant.rotations,
        "refresh_token_current": sandbox.tokens.newest_is_unspent(grant),
        "refresh_token_fingerprint": grant.newest_refresh[:16],
    }
