"""Netvisor's checksum, computed from the headers and the URL that came over the wire.

Source: support.netvisor.fi articles 77000557880 (HMACSHA256, SHA256, ISO-8859-15) and 77000577954 (headers).
"""

import hashlib
import hmac
from urllib.parse import unquote

from sandbox.received import Received

ENCODING = "iso-8859-15"
PREFIX = "x-netvisor-authentication-"
MAC = f"{PREFIX}mac"
ALGORITHM = f"{PREFIX}machashcalculationalgorithm"
SENDER, CUSTOMER, PARTNER = f"{PREFIX}sender", f"{PREFIX}customerid", f"{PREFIX}partnerid"
TIMESTAMP, TIMESTAMP_UNIX = f"{PREFIX}timestamp", f"{PREFIX}timestampunix"
TRANSACTION = f"{PREFIX}transactionid"
STATUS_CODES = f"{PREFIX}usehttpresponsestatuscodes"
LANGUAGE, ORGANISATION = "x-netvisor-interface-language", "x-netvisor-organisation-id"
HMACSHA256, SHA256 = "HMACSHA256", "SHA256"

# The signed headers in the order of the document; the partner id is not among them.
SIGNED = {
    SHA256: (SENDER, CUSTOMER, TIMESTAMP, LANGUAGE, ORGANISATION, TRANSACTION),
    HMACSHA256: (SENDER, CUSTOMER, TIMESTAMP, LANGUAGE, ORGANISATION, TRANSACTION, TIMESTAMP_UNIX),
}


def string_to_sign(received: Received, algorithm: str, keys: tuple[str, str], signed_url: str) -> bytes:
    """The bytes that the checksum is taken of: URL, headers, customer key and partner key.

    Raises: UnicodeError when the URL has a character that ISO-8859-15 lacks, or escapes that are not UTF-8.
    """
    url = received.url if signed_url == "sent" else unquote(received.url, "utf-8", "strict")
    # The header values stay the bytes that came: the document has them in the same encoding.
    headers = [b"".join(received.values(name)) for name in SIGNED[algorithm]]
    return b"&".join([url.encode(ENCODING), *headers, *(key.encode(ENCODING) for key in keys)])


def checksum(received: Received, algorithm: str, keys: tuple[str, str], signed_url: str = "decoded") -> str:
    """The checksum that the request has to carry, in lower-case hex.

    Raises: UnicodeError as `string_to_sign`.
    """
    message = string_to_sign(received, algorithm, keys, signed_url)
    if algorithm == SHA256:
        return hashlib.sha256(message).hexdigest()
    return hmac.new("&".join(keys).encode(ENCODING), message, hashlib.sha256).hexdigest()
