"""Give a gateway the headers of the request that it is about to send on to the provider's API.

As `headers`, but the caller knows only what follows the provider's base URL, since the gateway adds that.
"""

from dataclasses import dataclass, field
from uuid import UUID

from broker import errors
from broker.services import admission, directory, headers, issue
from broker.services.admission import Find
from broker.services.callers import PresentedKey
from broker.services.headers import IssuedHeaders
from broker.services.issue import ANY, Wanted
from providers.interface import HANDS_OUT_HEADERS, SignsRequests
from tenants.querysets.hand_out import HandOut

_WITHOUT_BODY = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The request that a service sent to its gateway, as far as headers depend on it.

    Shape:  uri is path and query beneath the base URL, as the gateway will send them. body_digest is the body's MD5
            in hex: a gateway asks before it has read the body.
    """

    method: str
    uri: str = field(repr=False)
    content_type: str | None = None
    body_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """What a gateway gets: never log it. connection_id and the version are for reports of a failure."""

    connection_id: UUID
    issued: IssuedHeaders


def issue_forwarded(presented: PresentedKey, find: Find, original: Original, wanted: Wanted = ANY) -> Forwarded:
    """Return the headers to send the original request on with.

    Raises: as `headers.issue_headers`; RequestRefused also for a body that a signature covers and nobody has told of.
    """
    row = issue.usable_row(presented, find, HANDS_OUT_HEADERS, wanted)
    provider = directory.provider(row.provider_id)
    base_url = admission.base_url(provider, admission.registration(row))
    _check(original, covered=isinstance(provider, SignsRequests) and provider.covers_body(original.content_type or ""))
    described = {
        "method": original.method,
        "url": f"{base_url}{original.uri}",
        "content_type": original.content_type,
        "body_digest": original.body_digest,
    }
    issued = headers.issue_for(presented, row, described)
    _check_carried(issued)
    return Forwarded(connection_id=_id(row), issued=issued)


def _check(original: Original, *, covered: bool) -> None:
    if not original.uri.startswith("/"):
        raise errors.RequestRefused(
            "a path that begins with / and follows the base URL", extra={"field": "url", "problem": "foreign_path"}
        )
    if covered and original.body_digest is None and original.method not in _WITHOUT_BODY:
        raise errors.RequestRefused(
            "this provider's signature covers the body: send its MD5 in hex as X-Broker-Body-Digest",
            extra={"field": "body_digest", "problem": "missing"},
        )


def _check_carried(issued: IssuedHeaders) -> None:
    """Headers outside ASCII have another form behind each server and gateway; a signature fits one of them."""
    for name, value in issued.signed.headers.items():
        if not (value.isascii() and value.isprintable()):
            raise errors.RegistrationRejected(f"{name} holds a character that gateways do not carry: use ASCII there")


def _id(row: HandOut) -> UUID:
    assert row.connection_id is not None
    return row.connection_id
