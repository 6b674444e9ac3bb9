"""What was expected, and what was seen instead."""

from typing import Any

import httpx2


class Unexpected(Exception):
    """One plain sentence on the difference; no secret is in it."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}, but saw {seen}")


def expect(true: bool, expected: str, seen: str) -> None:
    """Do nothing when it is true.

    Raises: Unexpected.
    """
    if not true:
        raise Unexpected(expected, seen)


def answered(answer: httpx2.Response, status: int, what: str) -> dict[str, Any]:
    """Return the JSON of an answer that has this status.

    Raises: Unexpected with the status and the problem's own words.
    """
    expect(answer.status_code == status, f"{status} for {what}", f"{answer.status_code}{_problem(answer)}")
    found: dict[str, Any] = answer.json()
    return found


def _problem(answer: httpx2.Response) -> str:
    # Only the words of an error: the body of a success may hold a token.
    try:
        body = answer.json()
    except ValueError:
        return ""
    words = (
        [str(body[name]) for name in ("code", "detail", "error", "Message") if name in body] if answer.is_error else []
    )
    return f" ({'; '.join(words)})" if words else ""
