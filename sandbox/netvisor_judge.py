"""Whether a request to Netvisor proves who it comes from.

Source: support.netvisor.fi articles 77000557880 and 77000577954, announcement 77000290155 (HMACSHA256).
"""

import hmac
import re
import time
from datetime import UTC, datetime
from typing import Literal

import msgspec

from sandbox import netvisor_signature as signature
from sandbox.fixtures import Kind
from sandbox.netvisor_answers import NetvisorError
from sandbox.netvisor_texts import LANGUAGES
from sandbox.received import Received
from sandbox.state import Sandbox

# Not published: assumed.
TOLERANCE_SECONDS = 15 * 60
FAILED, NO_ACCESS = "AUTHENTICATION_FAILED", "SERVICE_ACCESS_ERROR"
# In the order in which a missing one is named; names as the document spells them.
MANDATORY = (
    "X-Netvisor-Authentication-Sender",
    "X-Netvisor-Authentication-CustomerId",
    "X-Netvisor-Authentication-PartnerId",
    "X-Netvisor-Authentication-Timestamp",
    "X-Netvisor-Authentication-TransactionId",
    "X-Netvisor-Interface-Language",
    "X-Netvisor-Organisation-ID",
    "X-Netvisor-Authentication-MAC",
    "X-Netvisor-Authentication-MACHashCalculationAlgorithm",
)
WITH_HMAC = (
    "X-Netvisor-Authentication-TimestampUnix",
    "X-Netvisor-Authentication-UseHTTPResponseStatusCodes",
)
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,6})?Z?")


class Partner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An integration partner; signed_url is `decoded` or `sent`, since the document does not say which is signed."""

    key: str
    signed_url: Literal["decoded", "sent"] = "decoded"
    algorithms: tuple[Literal["HMACSHA256", "SHA256"], ...] = ("HMACSHA256", "SHA256")


class Customer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One API identifier of one company; without rights its calls end in SERVICE_ACCESS_ERROR."""

    key: str
    organisation_id: str
    name: str = "Acme Oy"
    rights: bool = True


class Used(msgspec.Struct, frozen=True):
    """A TransactionId that has been used, and when."""

    at: float


PARTNERS = Kind("netvisor", "partners", Partner)
CUSTOMERS = Kind("netvisor", "customers", Customer)
_TRANSACTIONS = Kind("netvisor", "transactions", Used)


def admitted(sandbox: Sandbox, request: Received) -> Customer:
    """The customer in whose name the request may be carried out.

    Raises: NetvisorError.
    """
    check_headers(request)
    check_times(request, time.time())
    partner = sandbox.fixtures.find(PARTNERS, request.text(signature.PARTNER))
    if partner is None:
        raise NetvisorError(FAILED, "partner")
    customer = sandbox.fixtures.find(CUSTOMERS, request.text(signature.CUSTOMER))
    if customer is None:
        raise NetvisorError(FAILED, "keys")
    check_checksum(request, partner, customer)
    _check_unique(sandbox, request)
    _check_access(request, customer)
    return customer


def check_headers(request: Received) -> None:
    """Nothing when every header that has to be there is there, once.

    Raises: NetvisorError naming the header.
    """
    with_hmac = request.text(signature.ALGORITHM) == signature.HMACSHA256
    for name in (*MANDATORY, *(WITH_HMAC if with_hmac else ())):
        found = request.values(name.lower())
        if not any(found):
            raise NetvisorError(FAILED, "header_missing", name)
        if len(found) > 1:
            raise NetvisorError(FAILED, "header_repeated", name)
    if request.text(signature.ALGORITHM) not in signature.SIGNED:
        raise NetvisorError(FAILED, "algorithm", request.text(signature.ALGORITHM))


def check_times(request: Received, now: float) -> None:
    """Nothing when the timestamp is of now (seconds since the epoch), and its twin the same instant.

    Raises: NetvisorError.
    """
    instant = _instant(request.text(signature.TIMESTAMP))
    if request.text(signature.ALGORITHM) == signature.HMACSHA256:
        twin = request.text(signature.TIMESTAMP_UNIX)
        if not re.fullmatch(r"[0-9]{1,11}", twin):
            raise NetvisorError(FAILED, "time_unreadable", twin[:40])
        if int(twin) != int(instant):
            raise NetvisorError(FAILED, "time_differs")
    if abs(now - instant) > TOLERANCE_SECONDS:
        raise NetvisorError(FAILED, "time_off")


def check_checksum(request: Received, partner: Partner, customer: Customer) -> None:
    """Nothing when the checksum was made with the keys of both.

    Raises: NetvisorError.
    """
    algorithm = request.text(signature.ALGORITHM)
    if algorithm not in partner.algorithms:
        raise NetvisorError(FAILED, "algorithm", algorithm)
    try:
        right = signature.checksum(request, algorithm, (customer.key, partner.key), partner.signed_url)
    except UnicodeError:
        raise NetvisorError(FAILED, "encoding") from None
    if not hmac.compare_digest(right.encode(), b"".join(request.values(signature.MAC))):
        raise NetvisorError(FAILED, "keys")


def _check_unique(sandbox: Sandbox, request: Received) -> None:
    """Only requests with a right checksum use an id up; it is the partner's for ever, whoever the customer is."""
    identifier = f"{request.text(signature.PARTNER)}\n{request.text(signature.TRANSACTION)}"
    if not sandbox.fixtures.add(_TRANSACTIONS, identifier, Used(time.time())):
        raise NetvisorError("REQUEST_NOT_UNIQUE", "not_unique")


def _check_access(request: Received, customer: Customer) -> None:
    language, organisation = request.text(signature.LANGUAGE), request.text(signature.ORGANISATION)
    if language.upper() not in LANGUAGES:
        raise NetvisorError(NO_ACCESS, "language", language[:20])
    if organisation != customer.organisation_id:
        raise NetvisorError(NO_ACCESS, "organisation", organisation[:20])
    if not customer.rights:
        raise NetvisorError(NO_ACCESS, "rights")


def _instant(timestamp: str) -> float:
    """Source: the form of article 77000557880; clients in use also send ISO 8601 with T and Z."""
    found = _TIMESTAMP.fullmatch(timestamp)
    try:
        whole = datetime.fromisoformat(f"{found[1]} {found[2]}{found[3] or ''}") if found else None
    except ValueError:
        whole = None
    if whole is None:
        raise NetvisorError(FAILED, "time_unreadable", timestamp[:40])
    return whole.replace(tzinfo=UTC).timestamp()
