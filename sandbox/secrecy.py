"""Random values, and the one-way forms in which they are kept and logged."""

import hashlib
import hmac
import secrets


def new_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """What the store keeps instead of a code, a token or a client secret."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(value: str) -> str:
    """The first 16 hex digits of the SHA-256 of a token: what the log shows.

    A test that knows a token can compute the same and find it in the log.
    """
    return digest(value)[:16]


def same(left: str, right: str) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def password_hash(password: str, salt: bytes) -> bytes:
    """The stored form of a password.

    The cost is low on purpose: sign-ins share one thread with the token endpoint, and the users are made up.
    """
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=1024, r=8, p=1)


def new_salt() -> bytes:
    """A fresh salt for one password."""
    return secrets.token_bytes(16)
