"""A caller's description of the request it is going to send, read once and strictly."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from providers.errors import RequestRefused
from providers.messages import RequestToSign

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_NOT_IN_A_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_MD5 = re.compile(r"[0-9a-f]{32}")
_DIGESTS = {32: hashlib.md5, 64: hashlib.sha256}


def read_request(
    *,
    method: str,
    url: str,
    body: str | None = None,
    body_base64: str | None = None,
    body_digest: str | None = None,
    content_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> RequestToSign:
    """The request to sign.

    Shape:  body is text and stands for its UTF-8 bytes. body_digest is hex, MD5 or SHA-256; beside a body it is
            compared with it, alone it has to be the MD5, which is what signatures are made of.
    Raises: RequestRefused naming the field. Whether the URL may be signed is the signer's question.
    """
    for name, value in (headers or {}).items():
        _check_header(name, value)
    content = _content(body, body_base64)
    return RequestToSign(
        method=method,
        url=url,
        body=content,
        body_digest=_digest(content, body_digest),
        content_type=_content_type(content_type, headers or {}),
        headers=dict(headers or {}),
    )


def _content(body: str | None, body_base64: str | None) -> bytes | None:
    if body is not None and body_base64 is not None:
        raise RequestRefused(problem="given_twice", field="body_base64", expected="body or body_base64, not both")
    try:
        if body is not None:
            return body.encode()
        return None if body_base64 is None else base64.b64decode(body_base64, validate=True)
    except UnicodeEncodeError as error:
        raise RequestRefused(
            problem="not_unicode", field="body", position=error.start, expected="text without lone surrogates"
        ) from None
    except (binascii.Error, ValueError):
        raise RequestRefused(problem="not_base64", field="body_base64", expected="base64 with padding") from None


def _digest(content: bytes | None, given: str | None) -> str | None:
    if given is None:
        return None
    digest = given.lower()
    if len(digest) not in _DIGESTS or not re.fullmatch(r"[0-9a-f]+", digest):
        raise RequestRefused(problem="not_a_digest", field="body_digest", expected="an MD5 or SHA-256 in hex")
    if content is None:
        if not _MD5.fullmatch(digest):
            raise RequestRefused(problem="digest_not_md5", field="body_digest", expected="the body's MD5, or the body")
        return digest
    if _DIGESTS[len(digest)](content).hexdigest() != digest:
        raise RequestRefused(problem="digest_mismatch", field="body_digest", expected="the digest of exactly this body")
    return None


def _content_type(given: str | None, headers: Mapping[str, str]) -> str | None:
    found = {value for name, value in headers.items() if name.lower() == "content-type"}
    if given is not None:
        _check_header("content-type", given, field="content_type")
        found.add(given)
    if len(found) > 1:
        raise RequestRefused(problem="given_twice", field="content_type", expected="one Content-Type")
    return next(iter(found), None)


def _check_header(name: str, value: str, field: str = "") -> None:
    if not _TOKEN.fullmatch(name):
        raise RequestRefused(problem="header_name", field="headers", expected="a header name as in RFC 9110")
    place = field or f"headers.{name}"
    if odd := _NOT_IN_A_VALUE.search(value):
        raise RequestRefused(
            problem="control_character", field=place, position=odd.start(), expected="a value on one line"
        )
    if value != value.strip():
        raise RequestRefused(problem="space_around", field=place, expected="a value without spaces around it")
