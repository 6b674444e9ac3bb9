"""The other hot route, by hand: headers for one request to the provider's API."""

from functools import partial
from typing import Any

import msgspec
from django.conf import settings

from broker.api.authentication import refuse_chunked
from broker.api.hot import Environ, id_of, name_of, presented_by, query, wait_of
from broker.api.parsing import strict_json
from broker.api.reply import Reply, answer
from broker.errors import BodyTooLarge, InvalidRequest
from broker.services import headers
from broker.services.issue import Wanted
from providers.errors import one_line
from tenants.querysets import hand_out
from tenants.querysets.hand_out import Named

_LONGEST_NAME = 64


class Described(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The request that a caller is going to send; see `providers.protocol.request_to_sign`."""

    method: str
    url: str
    body: str | None = None
    body_base64: str | None = None
    body_digest: str | None = None
    content_type: str | None = None
    headers: dict[str, str] | None = None


def by_id(environ: Environ, connection_id: str) -> Reply:
    """POST /v1/connections/{id}/headers. Raises BrokerError."""
    return _answer(environ, Named(id_of(connection_id)), ())


def by_name(environ: Environ, tenant: str, provider: str) -> Reply:
    """POST /v1/tenants/{tenant}/providers/{provider}/headers. Raises BrokerError."""
    return _answer(environ, Named(None, name_of(tenant), name_of(provider)), ("label",))


def _answer(environ: Environ, named: Named, parameters: tuple[str, ...]) -> Reply:
    presented = presented_by(environ)
    named = named._replace(label=query(environ, parameters).get("label"))
    find = partial(hand_out.for_headers, named=named)
    wanted = Wanted(wait_seconds=wait_of(environ))
    return answer(headers.issue_headers(presented, find, _described(environ), wanted).as_json())


def _described(environ: Environ) -> dict[str, Any]:
    """Return the body's members by name. Raises InvalidRequest naming the member, BodyTooLarge."""
    try:
        members = strict_json(body_of(environ))
        return msgspec.structs.asdict(msgspec.convert(members, Described))
    except msgspec.ValidationError as error:
        raise InvalidRequest(place_of(error)) from None
    except ValueError:
        raise InvalidRequest("the body is not well-formed JSON, or repeats a member") from None


def body_of(environ: Environ) -> bytes:
    """Return the body, past the layers that make it a form: they cost as much as reading it."""
    refuse_chunked(environ)
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit() and len(length) <= 20):
        raise InvalidRequest("Content-Length is a number")
    if int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise BodyTooLarge("at most 256 KiB; of a larger body send the digest")
    try:
        body: bytes = environ["wsgi.input"].read(int(length))
    except OSError:
        raise InvalidRequest("the body did not arrive") from None
    return body


def place_of(error: msgspec.ValidationError) -> str:
    # It names members and types and never a value; a member's name is the caller's own text.
    what, _, where = str(error).partition(" - at ")
    return one_line(f"{where.strip('`$.') or 'body'}: {what}", _LONGEST_NAME + 100)
