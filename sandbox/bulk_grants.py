"""Living grants in bulk, for whoever needs a hundred thousand customers and none of their clicks."""

import time
import uuid
from typing import Any

import msgspec
from aiohttp import web

from sandbox.control import decoded
from sandbox.errors import ControlError
from sandbox.grants import Consent
from sandbox.secrecy import digest, new_token
from sandbox.state import Sandbox
from sandbox.users import User

MOST = 1_000_000
SCOPE = "ea:api ea:sales_readonly offline_access"
_GRANT = """INSERT INTO grants (id, client_id, user_id, company_id, scope, created_at, newest_refresh)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_TOKEN = "INSERT INTO refresh_tokens VALUES (?, ?, ?, NULL)"


class NewGrants(msgspec.Struct, forbid_unknown_fields=True):
    """The body: whose consent to which client, how often."""

    client_id: str
    user: str
    count: int
    scope: str = SCOPE


def create_grants(sandbox: Sandbox, request: web.Request, body: bytes) -> Any:
    """POST grants: as if the user had consented `count` times for the first of their companies.

    Shape:  {"refresh_tokens": [...]}, one for each grant, shown this once.
    """
    asked = decoded(body, NewGrants)
    client, user = sandbox.clients.get(asked.client_id), sandbox.users.named(asked.user)
    if client is None or user is None:
        raise ControlError("no such client" if client is None else "no such user", status=404)
    if not 1 <= asked.count <= MOST:
        raise ControlError(f"count is between 1 and {MOST}")
    consent = Consent(client.client_id, user.id, _company_id(user), asked.scope)
    return {"refresh_tokens": _granted(sandbox, consent, asked.count, client.settings.refresh_token_seconds)}


def _granted(sandbox: Sandbox, consent: Consent, count: int, life: int) -> list[str]:
    tokens = [new_token() for _ in range(count)]
    made = [(str(uuid.uuid4()), digest(token)) for token in tokens]
    # In the order of the keys: rows that are written where the last one was cost a fraction.
    by_grant, by_token = sorted(made), sorted((hashed, grant) for grant, hashed in made)
    now = time.time()
    values = (consent.client_id, consent.user_id, consent.company_id, consent.scope, now)
    with sandbox.store.transaction():
        sandbox.store.run_many(_GRANT, ((grant, *values, hashed) for grant, hashed in by_grant))
        sandbox.store.run_many(_TOKEN, ((hashed, grant, now + life) for hashed, grant in by_token))
    return tokens


def _company_id(user: User) -> str:
    if not user.companies:
        raise ControlError("the user has no company", status=409)
    return user.companies[0].id
