"""Many tokens in one request, by hand as the hot routes are."""

import msgspec
from django.conf import settings

from broker.api import problems
from broker.api.headers import body_of, place_of
from broker.api.hot import Environ, id_of, name_of, presented_by, query, wait_of
from broker.api.parsing import strict_json
from broker.api.reply import Reply, encoded
from broker.errors import InvalidRequest
from broker.services import batch
from broker.services.batch import Asked, Verdict
from tenants.querysets.hand_out import Named

MOST = 500
ONE = ("connection", "tenant", "provider", "label", "min_ttl")


class One(msgspec.Struct, forbid_unknown_fields=True):
    """One connection: its id, or tenant, provider and, of several, the label."""

    connection: str | None = None
    tenant: str | None = None
    provider: str | None = None
    label: str | None = None
    min_ttl: int | None = None


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Up to MOST of them."""

    requests: list[One]


_decode = msgspec.json.Decoder(Batch).decode


def tokens(environ: Environ) -> Reply:
    """POST /v1/tokens. Raises BrokerError."""
    presented = presented_by(environ)
    query(environ, ())
    asked = [_asked(place, one) for place, one in enumerate(_read(environ).requests)]
    if not 1 <= len(asked) <= MOST:
        raise InvalidRequest(f"requests: from 1 to {MOST}")
    verdicts = batch.issue_tokens(presented, asked, wait_seconds=wait_of(environ))
    return encoded(b'{"results":[' + b",".join(map(_shown, verdicts)) + b"]}")


def _read(environ: Environ) -> Batch:
    body = body_of(environ)
    try:
        found = _decode(body)
        if _repeats(body, found):
            strict_json(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(place_of(error)) from None
    except ValueError:
        raise InvalidRequest("the body is not well-formed JSON, or repeats a member") from None
    return found


def _repeats(body: bytes, found: Batch) -> bool:
    """Tell whether a member may be there twice: the fast decoder takes the last one, and does not say so.

    Effects: none. When every name stands in the body as often as it was read, none was repeated.
    """
    names = [name for one in found.requests for name in ONE if getattr(one, name) is not None]
    return (
        b"\\" in body
        or body.count(b'"requests"') != 1
        or any(body.count(b'"%b"' % name.encode()) != names.count(name) for name in ONE)
    )


def _asked(place: int, one: One) -> Asked:
    if one.min_ttl is not None and not 0 <= one.min_ttl <= settings.TOKEN_MAX_MIN_TTL_SECONDS:
        raise InvalidRequest(f"requests.{place}.min_ttl: from 0 to {settings.TOKEN_MAX_MIN_TTL_SECONDS}")
    if one.connection is not None:
        if one.tenant is not None or one.provider is not None or one.label is not None:
            raise InvalidRequest(f"requests.{place}: connection, or tenant and provider, not both")
        return Asked(Named(id_of(one.connection)), one.min_ttl)
    if one.tenant is None or one.provider is None:
        raise InvalidRequest(f"requests.{place}: connection, or tenant and provider, is missing")
    label = None if one.label is None else name_of(one.label)
    return Asked(Named(None, name_of(one.tenant), name_of(one.provider), label), one.min_ttl)


def _shown(verdict: Verdict) -> bytes:
    connection = b'"%b"' % str(verdict.connection_id).encode() if verdict.connection_id else b"null"
    if verdict.token is not None:
        return b'{"status":200,"connection":%b,"token":%b}' % (connection, verdict.token)
    assert verdict.error is not None
    problem = msgspec.json.encode(problems.members(verdict.error))
    return b'{"status":%d,"connection":%b,"problem":%b}' % (verdict.error.status, connection, problem)
