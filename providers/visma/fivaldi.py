"""Fivaldi: three headers with an HMAC over method, body, headers, path and query.

Sources, read 2026-11-21: manuals.fivaldi.net/customer/api/auth.html, support.fivaldi.fi article 77000567320 and
the vendor's own examples; docs/providers/fivaldi.md says where they disagree.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping

from providers.described import Settings
from providers.errors import RightMissing
from providers.messages import (
    ApiReading,
    ClientRegistration,
    EnteredCredential,
    HttpRequest,
    HttpResponse,
    RequestToSign,
    SignedHeaders,
    VerifiedCredential,
)
from providers.protocol.business_id import looks_like_business_id
from providers.protocol.signable_url import FIELD as URL
from providers.protocol.signable_url import SignableUrl
from providers.signing import SigningProvider, utc
from providers.visma import fivaldi_response

PROVIDER_ID = "fivaldi"
_PREFIX = "x-fivaldi-"
_OURS = frozenset({"x-fivaldi-partner", "x-fivaldi-timestamp"})
_HEADER_NAME = re.compile(r"X-Fivaldi-[A-Za-z0-9-]{1,60}", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_MD5 = re.compile(r"[0-9a-f]{32}")
_MD5_OF_NOTHING = hashlib.md5(b"", usedforsecurity=False).hexdigest()
_UNSIGNED_TYPE = "multipart/form-data"
# Beneath the base URL: what tells nothing of any company.
_HARMLESS = frozenset({"/ping"})


class Fivaldi(SigningProvider):
    """SignsRequests and Verifies."""

    def covers_body(self, content_type: str) -> bool:
        """Whether a body of this type is part of what is signed: all but multipart."""
        return content_type[: len(_UNSIGNED_TYPE)].lower() != _UNSIGNED_TYPE

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

        Shape:  nonce is not used, the scheme has no place for one.
        """
        settings = self.settings(registration)
        url = settings.urls.check(request.url)
        if settings.parameters["reach"] == "company":
            self._check_company(settings, self.entered(credential, "cuid"), url)
        return self._signed(registration, request, url, now)

    def _check_company(self, settings: Settings, cuid: str, url: SignableUrl) -> None:
        """Refuses other companies: one partner credential opens those of all customers."""
        base = settings.base_path
        company = f"{base}/companies/{cuid}"
        if url.path.startswith(company) and url.path[len(company) :][:1] in ("", "/"):
            return
        if url.path[len(base) :] not in _HARMLESS:
            position = url.text.index(url.path) + len(base)
            self.refuse("foreign_company", URL, position=position, expected="a path beneath this connection's company")

    def _signed(
        self, registration: ClientRegistration, request: RequestToSign, url: SignableUrl, now: dt.datetime
    ) -> SignedHeaders:
        self.check_method(request)
        instant = utc(now)
        content_type = self.content_type(request)
        body_md5, signed_type = self._body(request, content_type)
        headers = build_headers(
            partner_id=registration.client_id,
            partner_secret=self.client_secret(registration),
            timestamp=str(int(instant.timestamp())),
            method=request.method,
            body_md5=body_md5,
            content_type=signed_type,
            path=url.path,
            query=url.query,
            further=self._further(request) if request.headers else {},
        )
        if signed_type:
            headers["Content-Type"] = signed_type
        return SignedHeaders(headers=headers, transaction_id=None, valid_until=instant + self.valid_for)

    def _body(self, request: RequestToSign, content_type: str) -> tuple[str, str]:
        """MD5 and content type as they are signed: both empty without a body, and for multipart."""
        if request.body:
            digest = ""
        else:
            digest = request.body_digest or ""
            if digest and not _MD5.fullmatch(digest):
                self.refuse("digest_not_md5", "body_digest", expected="the body's MD5 in lower-case hex")
            if digest in ("", _MD5_OF_NOTHING):
                return "", ""
        if not self.covers_body(content_type):
            return "", ""
        if not content_type:
            self.refuse("missing", "content_type", expected="the Content-Type that is sent with the body")
        return digest or hashlib.md5(request.body or b"", usedforsecurity=False).hexdigest(), content_type

    def _further(self, request: RequestToSign) -> dict[str, str]:
        """The caller's own X-Fivaldi headers; other headers are not signed and not our business."""
        found: dict[str, str] = {}
        for name, value in request.headers.items():
            lower = name.lower()
            if not lower.startswith(_PREFIX[:-1]):
                continue
            if not _HEADER_NAME.fullmatch(name) or lower in _OURS or lower in map(str.lower, found):
                self.refuse("header_name", "headers", expected="X-Fivaldi headers, each once, without those we make")
            if not _HEADER_VALUE.fullmatch(value):
                self.refuse("header_value", f"headers.{name}", expected="ASCII on one line, no spaces around it")
            found[name] = value
        return found

    def verification_request(
        self, registration: ClientRegistration, credential: EnteredCredential, *, now: dt.datetime
    ) -> HttpRequest:
        """The call that finds the company among those that this partner may open."""
        company = self._company(credential)
        base = self.base_url(registration)
        url = f"{base}/companies?businessId={company}" if looks_like_business_id(company) else f"{base}/companies"
        checked = self.settings(registration).urls.check(url)
        signed = self._signed(registration, RequestToSign(method="GET", url=url), checked, now)
        return HttpRequest(method="GET", url=url, endpoint=fivaldi_response.ENDPOINT, headers=signed.headers)

    def verify(
        self, registration: ClientRegistration, credential: EnteredCredential, *, now: dt.datetime, nonce: str
    ) -> VerifiedCredential:
        """The credential with the company's `cuid`, and the company; see `interface.Verifies`."""
        request = self.verification_request(registration, credential, now=now)
        response = self._send(request)
        try:
            return fivaldi_response.verified(
                response,
                company=self._company(credential),
                issuer=self.issuer(registration),
                provider_id=self.id,
            )
        except RightMissing as error:
            raise self.explained(error, ("company",)) from None

    def read_answer(self, answer: HttpResponse) -> ApiReading:
        """What an answer means; Fivaldi says it in the HTTP status."""
        return fivaldi_response.reading(answer, super().read_answer(answer))

    def _company(self, credential: EnteredCredential) -> str:
        """What was typed in, or the cuid of a credential that was verified before."""
        return self.entered(credential, "company" if "company" in credential.fields else "cuid")


provider = Fivaldi


def build_headers(
    *,
    partner_id: str,
    partner_secret: str,
    timestamp: str,
    method: str,
    body_md5: str,
    content_type: str,
    path: str,
    query: str | None,
    further: Mapping[str, str],
) -> dict[str, str]:
    """The mandatory headers and the further ones, signed.

    Shape:  an empty query is no query: a URL's last "?" alone is not signed.
    """
    if further:
        lines = {"x-fivaldi-partner": partner_id, "x-fivaldi-timestamp": timestamp}
        lines |= {name.lower(): value for name, value in further.items()}
        signed = "\n".join(f"{name}:{lines[name]}" for name in sorted(lines))
    else:
        signed = f"x-fivaldi-partner:{partner_id}\nx-fivaldi-timestamp:{timestamp}"
    string_to_sign = f"{method}\n{body_md5}\n{content_type}\n{signed}\n{path}"
    if query:
        string_to_sign = f"{string_to_sign}\n{query}"
    signature = hmac.digest(partner_secret.encode(), string_to_sign.encode(), "sha256")
    return {
        "X-Fivaldi-Partner": partner_id,
        "X-Fivaldi-Timestamp": timestamp,
        **further,
        "Authorization": "Fivaldi " + base64.b64encode(signature).decode("ascii"),
    }
