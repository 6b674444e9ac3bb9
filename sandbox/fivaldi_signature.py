"""Fivaldi's signature, computed from the bytes that came over the wire.

Source: manuals.fivaldi.net/customer/api/auth.html and support.fivaldi.fi article 77000567320.
"""

import base64
import hashlib
import hmac

from sandbox.received import Received

SCHEME = "Fivaldi "
PREFIX = "x-fivaldi"
PARTNER, TIMESTAMP = "x-fivaldi-partner", "x-fivaldi-timestamp"
MULTIPART = b"multipart/form-data"


def string_to_sign(request: Received) -> bytes:
    """The lines that are signed, joined by line feeds, none after the last."""
    path, _, query = request.target.partition("?")
    digest, content_type = _body_lines(request)
    lines = [request.method.encode(), digest, content_type, *_header_lines(request), path.encode()]
    # A lone `?` is no query: the rule has a line for it only when there is one.
    return b"\n".join([*lines, query.encode()] if query else lines)


def authorization(request: Received, secret: str) -> str:
    """The Authorization header that the request has to carry."""
    made = hmac.new(secret.encode(), string_to_sign(request), hashlib.sha256).digest()
    return SCHEME + base64.b64encode(made).decode()


def _body_lines(request: Received) -> tuple[bytes, bytes]:
    """MD5 in hex and content type of a body; both empty without one.

    Also both empty for multipart: undocumented, but the clients that upload files to the vendor do so.
    """
    content_type = b"".join(request.values("content-type"))
    if not request.body or content_type.lower().startswith(MULTIPART):
        return b"", b""
    return hashlib.md5(request.body, usedforsecurity=False).hexdigest().encode(), content_type


def _header_lines(request: Received) -> list[bytes]:
    """`name:value` by lower-case name; the document gives no order, and clients in use sort."""
    return [name.encode() + b":" + value for name, value in sorted(request.headers) if name.startswith(PREFIX)]
