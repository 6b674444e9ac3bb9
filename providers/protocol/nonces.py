"""Names for requests that no other request ever has."""

from __future__ import annotations

import uuid


def new_nonce() -> str:
    """A random GUID: unique over processes, machines and restarts without anybody counting.

    Source: RFC 9562 section 5.4; the random bits are the operating system's, so a fork does not repeat them.
    """
    return str(uuid.uuid4())
