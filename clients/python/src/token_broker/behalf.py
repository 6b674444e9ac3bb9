"""For which of the caller's own users the broker is asked: written into its audit log."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "On-Behalf-Of"
_FORM = re.compile(r"[\x21-\x7e]{1,64}")
_user: ContextVar[str] = ContextVar("token_broker_on_behalf_of", default="")


@contextmanager
def on_behalf_of(user: str) -> Iterator[None]:
    """Within it, what this thread or task asks of a broker is asked for this user.

    Shape:  an id of 1 to 64 visible ASCII characters, not a name or an address: it stays in the audit log.
    Raises: ValueError. What is served from memory is not read from the broker again, and so not written down again.
    """
    if not _FORM.fullmatch(user):
        raise ValueError("a user's id has 1 to 64 visible ASCII characters, without spaces")
    token = _user.set(user)
    try:
        yield
    finally:
        _user.reset(token)


def headers() -> dict[str, str]:
    """Return what a request to the broker says of it."""
    user = _user.get()
    return {HEADER: user} if user else {}
