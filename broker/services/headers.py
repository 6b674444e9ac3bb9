"""Give the headers of one request to the provider's API: signed for it, or those that every request carries.

One query (a second one every five minutes, for a registration's key), no write, and two unseals at most; a signed
request is written down by `signatures`, off the path.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from broker import errors
from broker.services import admission, credentials, directory, issue, signatures
from broker.services.admission import Find
from broker.services.callers import PresentedKey
from broker.services.issue import ANY, Wanted
from broker.services.kept import Kept
from providers.errors import ClientRejected, RequestRefused, UnsupportedOperation
from providers.interface import HANDS_OUT_HEADERS, SIGNS_REQUESTS
from providers.messages import ClientRegistration as Registration
from providers.messages import RequestToSign, Secret, SignedHeaders, StoredCredential
from providers.protocol.nonces import new_nonce
from providers.protocol.request_to_sign import read_request
from providers.registry import AnyProvider
from tenants.errors import TenantsError
from tenants.models import DataKey
from tenants.models.client_registration import secrets_context
from tenants.querysets.hand_out import HandOut, SealedRegistration

# What a caller can mend; any other field is of the registration, or was entered by the customer.
_OF_THE_REQUEST = frozenset(("method", "url", "body", "body_base64", "body_digest", "content_type", "headers"))


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedHeaders:
    """What a caller gets: never log it."""

    connection_id: UUID
    signed: SignedHeaders = field(repr=False)
    version: int
    base_url: str
    degraded: str | None

    def as_json(self) -> dict[str, object]:
        """Return the answer's members: the only place where a signature becomes part of a response."""
        return {
            "connection_id": self.connection_id,
            "headers": self.signed.headers,
            "single_use": self.signed.single_use,
            "valid_until": self.signed.valid_until,
            "transaction_id": self.signed.transaction_id,
            "version": self.version,
            "base_url": self.base_url,
            "degraded": self.degraded,
        }


def issue_headers(
    presented: PresentedKey, find: Find, described: dict[str, Any], wanted: Wanted = ANY
) -> IssuedHeaders:
    """Return the headers for the request that `described` holds, by the names of `read_request`.

    Raises: RequestRefused, and the errors of broker.errors that docs/errors.md lists for this route.
    Effects: one entry in `signatures` for a request that has a name at the provider; not fresh: those of `renew`.
    """
    return issue_for(presented, issue.usable_row(presented, find, HANDS_OUT_HEADERS, wanted), described)


def issue_for(presented: PresentedKey, row: HandOut, described: dict[str, Any]) -> IssuedHeaders:
    """As issue_headers, for a row that is usable already."""
    provider = directory.provider(row.provider_id)
    try:
        request = read_request(**described)
        credential = _credential(row, provider)
        issued = _issued(row, provider, credential, request)
    except RequestRefused as error:
        raise refused(error) from None
    except UnsupportedOperation as error:
        raise directory.unsupported(error) from None
    except ClientRejected as error:
        raise errors.RegistrationRejected(f"no headers can be made: {error}") from None
    issue.count(presented, row, credential)
    if issued.signed.transaction_id is not None:
        _write_down(presented, row, request, issued.signed.transaction_id)
    return issued


def _issued(row: HandOut, provider: AnyProvider, credential: StoredCredential, request: RequestToSign) -> IssuedHeaders:
    assert row.registration is not None
    registration = _registration(row)
    base_url = admission.base_url(provider, registration)
    signed = provider.request_headers(
        registration,
        credential,
        request,
        # The database's clock: the same for every process, and the one that leases and ends go by.
        now=row.registration.now,
        nonce=new_nonce(),
        expires_at=row.expires_at,
    )
    assert row.connection_id is not None
    return IssuedHeaders(
        connection_id=row.connection_id,
        signed=signed,
        version=row.version,
        base_url=base_url,
        degraded=admission.degraded(row),
    )


# A job signs hundreds of requests in a row for one company, and all jobs share a few registrations.
_credentials: Kept[StoredCredential] = Kept(seconds=30, most=1000)
_registrations: Kept[Registration] = Kept(seconds=300, most=1000)


def _credential(row: HandOut, provider: AnyProvider) -> StoredCredential:
    """Return the row's credential; one that signs is kept for a moment. Raises StorageFault."""
    if SIGNS_REQUESTS not in provider.capabilities:
        return issue.opened(row)
    source = (
        credentials.vault(),
        row.sealed,
        row.version,
        row.tenant_id,
        row.data_key_id,
        row.kek_version,
        row.wrapped,
    )
    return _credentials.get(row.connection_id, source, lambda: issue.opened(row))


def _registration(row: HandOut) -> Registration:
    """Return the registration with its secrets. Raises StorageFault."""
    sealed = row.registration
    assert sealed is not None
    public = admission.registration(row)
    source = (credentials.vault(), public, *sealed[:-1])
    return _registrations.get(sealed.id, source, lambda: replace(public, client_secrets=_secrets(sealed)))


def _secrets(sealed: SealedRegistration) -> tuple[Secret, ...]:
    key = DataKey.objects.get(pk=sealed.data_key_id)
    try:
        text = credentials.unseal(key, secrets_context(sealed.tenant_id, sealed.id), sealed.sealed)
    except TenantsError:
        raise errors.StorageFault() from None
    return tuple(Secret(secret) for secret in reversed(json.loads(text)))


def _write_down(presented: PresentedKey, row: HandOut, request: RequestToSign, transaction_id: str) -> None:
    assert row.connection_id is not None
    assert row.registration is not None
    # Signed, so the URL is one of the provider's own: what stands before the path is its host.
    host = request.url.partition("://")[2].partition("/")[0].partition("?")[0]
    signed = signatures.Request(transaction_id, request.method, host, row.registration.now)
    signatures.log.add(signatures.Signed(row.tenant_id, row.connection_id, row.caller_name, signed, *presented.by))


def refused(error: RequestRefused) -> errors.BrokerError:
    """Return what a caller is told: the place, a word for programs, and the next step; nothing of the value."""
    if error.field.partition(".")[0] not in _OF_THE_REQUEST:
        return errors.RegistrationRejected(f"no headers can be made: {error}")
    extra: dict[str, object] = {"field": error.field, "problem": error.problem}
    if error.position is not None:
        extra["position"] = error.position
    return errors.RequestRefused(error.expected or error.problem, extra=extra)
