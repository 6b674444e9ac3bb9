"""Netvisor: nine to eleven headers with a MAC, good for exactly one request.

Sources, read 2026-11-21: support.netvisor.fi articles 77000557880 (headers, MAC, encoding) and 77000577954
(security), forum topic 77000290155 (HMACSHA256); docs/providers/netvisor.md says where they disagree.
"""

from __future__ import annotations

import binascii
import datetime as dt
import hashlib
import hmac
import re
from dataclasses import replace
from functools import lru_cache
from typing import NoReturn

from providers.errors import ProviderError, RequestRefused
from providers.messages import (
    ApiReading,
    ClientRegistration,
    EnteredCredential,
    ExternalAccount,
    HttpRequest,
    HttpResponse,
    RequestToSign,
    SignedHeaders,
    VerifiedCredential,
)
from providers.protocol import known_refusals
from providers.protocol.signable_url import FIELD as URL
from providers.signing import SigningProvider, utc
from providers.visma import netvisor_response

PROVIDER_ID = "netvisor"
HMACSHA256 = "HMACSHA256"
SHA256 = "SHA256"
ENCODING = "iso-8859-15"
# Control characters, and those where ISO-8859-1 and ISO-8859-15 differ.
_LOOK_CLOSER = bytes((*range(0x20), *range(0x7F, 0xA0), 0xA4, 0xA6, 0xA8, 0xB4, 0xB8, 0xBC, 0xBD, 0xBE))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_NONCE = re.compile(r"[A-Za-z0-9-]{16,64}")


class Netvisor(SigningProvider):
    """SignsRequests and Verifies."""

    def sign(
        self,
        registration: ClientRegistration,
        credential: EnteredCredential,
        request: RequestToSign,
        *,
        now: dt.datetime,
        nonce: str,
    ) -> SignedHeaders:
        """The headers for this one request; see `interface.SignsRequests`.

        Shape:  nonce becomes the TransactionId as it is.
        """
        self.check_method(request)
        if not _NONCE.fullmatch(nonce):
            raise ValueError("a nonce of 16 to 64 letters, digits and hyphens")
        instant = utc(now)
        headers = self._headers(registration, credential, request.url, instant, nonce)
        if request.content_type is not None:
            headers["Content-Type"] = self.content_type(request)
        return SignedHeaders(headers=headers, transaction_id=nonce, valid_until=instant + self.valid_for)

    def _headers(
        self,
        registration: ClientRegistration,
        credential: EnteredCredential,
        given_url: str,
        instant: dt.datetime,
        nonce: str,
    ) -> dict[str, str]:
        settings = self.settings(registration)
        parameters = settings.parameters
        decoded = parameters["signed_url"] == "decoded"
        url = settings.urls.check(given_url, unescaped_query=decoded).text
        unix = int(instant.timestamp())
        return build_headers(
            algorithm=parameters["algorithm"],
            signed_url=decoded_url(url) if decoded else url,
            sender=parameters["sender"],
            customer_id=self.entered(credential, "customer_id"),
            customer_key=self.entered(credential, "customer_key"),
            partner_id=registration.client_id,
            partner_key=self.client_secret(registration),
            organisation_id=self.entered(credential, "organisation_id"),
            language=parameters["language"],
            # One instant in two forms, cut down and not rounded.
            timestamp=f"{_second(unix)}.{instant.microsecond // 1000:03d}",
            timestamp_unix=str(unix),
            transaction_id=nonce,
            url=url,
        )

    def verification_request(
        self, registration: ClientRegistration, credential: EnteredCredential, *, now: dt.datetime, nonce: str
    ) -> HttpRequest:
        """The call that proves the keys: the recommended first one, narrowed to what hardly any company has."""
        organisation = self.entered(credential, "organisation_id")
        url = f"{self.base_url(registration)}/customerlist.nv?keyword={organisation}"
        signed = self.sign(registration, credential, RequestToSign(method="GET", url=url), now=now, nonce=nonce)
        # The door sends a byte a character: these are the bytes that were signed.
        headers = {name: value.encode(ENCODING).decode("latin-1") for name, value in signed.headers.items()}
        return HttpRequest(method="GET", url=url, endpoint=netvisor_response.ENDPOINT, headers=headers)

    def verify(
        self, registration: ClientRegistration, credential: EnteredCredential, *, now: dt.datetime, nonce: str
    ) -> VerifiedCredential:
        """The credential as given, and its organisation; see `interface.Verifies`."""
        request = self.verification_request(registration, credential, now=now, nonce=nonce)
        response = self._send(request)
        try:
            netvisor_response.judge(response, provider_id=self.id)
        except ProviderError as error:
            raise self.explained(error, netvisor_response.likely_wrong(response.body)) from None
        account = ExternalAccount(issuer=self.issuer(registration), subject=self.entered(credential, "organisation_id"))
        return VerifiedCredential(credential=credential, account=account)

    def read_answer(self, answer: HttpResponse) -> ApiReading:
        """What an answer means; Netvisor says it in its XML, whatever the HTTP status."""
        reading = netvisor_response.reading(answer)
        if reading is None:
            return super().read_answer(answer)
        if reading.meaning == "client_rejected":
            # What the catalogue says of this code is for the customer, whose values are not at fault.
            return reading
        codes = frozenset({reading.error} if reading.error else ())
        known = known_refusals.match(self.definition, status=0, codes=codes, text=reading.description)
        return replace(reading, explanation=known.text if known else "")


provider = Netvisor


def build_headers(
    *,
    algorithm: str,
    signed_url: str,
    sender: str,
    customer_id: str,
    customer_key: str,
    partner_id: str,
    partner_key: str,
    organisation_id: str,
    language: str,
    timestamp: str,
    timestamp_unix: str,
    transaction_id: str,
    url: str = "",
) -> dict[str, str]:
    """All headers, the MAC among them.

    Shape:  signed_url is what the MAC covers, url the same as the caller wrote it, for positions in refusals.
    Raises: RequestRefused for a character that ISO-8859-15 has not, or a control character.
    """
    newer = algorithm == HMACSHA256
    message = f"{signed_url}&{sender}&{customer_id}&{timestamp}&{language}&{organisation_id}&{transaction_id}"
    keys = f"{customer_key}&{partner_key}"
    message = f"{message}&{timestamp_unix}&{keys}" if newer else f"{message}&{keys}"
    content = _encoded(message)
    if content is None:
        _check_url(signed_url, url or signed_url)
        _check_values(
            sender=sender,
            customer_id=customer_id,
            timestamp=timestamp,
            language=language,
            organisation_id=organisation_id,
            transaction_id=transaction_id,
            customer_key=customer_key,
            partner_key=partner_key,
        )
        raise ValueError("values that cannot be carried, and none of them is found")
    # It is not signed, but it is a header like the others.
    if not (partner_id.isascii() and partner_id.isprintable()):
        _refuse("character_not_carried", "client_id", 0, "a partner id of plain letters, digits and signs")
    headers = {
        "X-Netvisor-Authentication-Sender": sender,
        "X-Netvisor-Authentication-CustomerId": customer_id,
        "X-Netvisor-Authentication-PartnerId": partner_id,
        "X-Netvisor-Authentication-Timestamp": timestamp,
        "X-Netvisor-Authentication-TransactionId": transaction_id,
        "X-Netvisor-Interface-Language": language,
        "X-Netvisor-Organisation-ID": organisation_id,
        "X-Netvisor-Authentication-MACHashCalculationAlgorithm": algorithm,
    }
    if newer:
        headers["X-Netvisor-Authentication-TimestampUnix"] = timestamp_unix
        headers["X-Netvisor-Authentication-UseHTTPResponseStatusCodes"] = "1"
        # The HMAC's key is the end of the message: both keys, a byte for each character.
        headers["X-Netvisor-Authentication-MAC"] = hmac.digest(content[-len(keys) :], content, "sha256").hex()
    else:
        headers["X-Netvisor-Authentication-MAC"] = hashlib.sha256(content).hexdigest()
    return headers


def decoded_url(url: str) -> str:
    """The URL without percent-encoding; "+" stays "+".

    Raises: RequestRefused for escapes that are not UTF-8.
    """
    if "%" not in url:
        return url
    try:
        # Quoted-printable is percent-encoding with another sign, and its decoder is not written in Python.
        return binascii.a2b_qp(url.replace("=", "=3D").replace("%", "=").encode()).decode()
    except UnicodeDecodeError:
        _refuse("escape_not_utf8", URL, _bad_escape(url), "percent-encoded UTF-8")


def _bad_escape(url: str) -> int:
    for run in _ESCAPES.finditer(url):
        try:
            bytes.fromhex(run[0].replace("%", "")).decode()
        except UnicodeDecodeError as error:
            return run.start() + 3 * error.start
    return 0


def _encoded(text: str) -> bytes | None:
    """The bytes that are signed, or None when a character cannot be carried."""
    try:
        # Latin-1 has the same bytes but for eight, and its encoder is several times faster.
        content = text.encode("latin-1")
        if len(content.translate(None, _LOOK_CLOSER)) == len(content):
            return content
    except UnicodeEncodeError:
        pass
    return _encoded_slowly(text)


def _encoded_slowly(text: str) -> bytes | None:
    try:
        return None if _CONTROL.search(text) else text.encode(ENCODING)
    except UnicodeEncodeError:
        return None


@lru_cache(maxsize=8)
def _second(unix: int) -> str:
    return f"{dt.datetime.fromtimestamp(unix, dt.UTC):%Y-%m-%d %H:%M:%S}"


def _check_values(**values: str) -> None:
    for name, value in values.items():
        _check_value(name, value)


def _check_url(signed: str, written: str) -> None:
    """Nothing when the URL can be carried; a refusal's position is the one in the URL as it was written."""
    try:
        _check_value(URL, signed)
    except RequestRefused as refused:
        _refuse(refused.problem, URL, _place(written, signed, refused.position or 0), refused.expected)


def _check_value(name: str, value: str) -> None:
    if odd := _CONTROL.search(value):
        _refuse("control_character", name, odd.start(), "no control character")
    try:
        value.encode(ENCODING)
    except UnicodeEncodeError as error:
        _refuse("character_not_carried", name, error.start, "characters of ISO-8859-15 only")


def _place(url: str, decoded: str, index: int) -> int:
    """Where in a URL the decoded character with this index is written."""
    place = 0
    for character in decoded[:index] if decoded != url else "":
        place += 3 * len(character.encode()) if url[place] == "%" else 1
    return place or index


def _refuse(problem: str, field: str, position: int, expected: str) -> NoReturn:
    raise RequestRefused(problem=problem, field=field, position=position, expected=expected, provider_id=PROVIDER_ID)
