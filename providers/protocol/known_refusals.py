"""Refusals that the catalogue knows in the provider's own words: what they mean, and what a person does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from providers.definition import KnownRefusal, ProviderDefinition
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    RightMissing,
)
from providers.messages import HttpResponse, Meaning
from providers.protocol import quirks
from providers.protocol.strict_json import text_at

Place = Literal["token", "api"]
TOKEN: Place = "token"
API: Place = "api"
_TEXT_LIMIT = 16384
# Whoever answers so has not read what was asked: its words are not on the credential.
_NOT_THE_APPLICATION = frozenset({408, 429, *range(300, 400)})
_SAYS_SO_ITSELF: frozenset[Meaning] = frozenset({"throttled", "unavailable"})
_KINDS: Mapping[Meaning, type[ProviderError]] = {
    "credential_refused": GrantRejected,
    "client_rejected": ClientRejected,
    "right_missing": RightMissing,
    "scope_missing": RightMissing,
    "account_unverified": AccountUnverified,
    "content": ClientRejected,
}


def find(
    definition: ProviderDefinition, response: HttpResponse, members: Mapping[str, Any] | None, *, at: Place = API
) -> KnownRefusal | None:
    """The first refusal of the catalogue that the answer is, None when none is known.

    Shape:  members is the body's JSON object, None when it holds none. at is who answers. A success
            is a refusal only by name: where the entry lists its status, or where statuses say nothing.
    """
    if not definition.refusals:
        return None
    return match(definition, status=response.status, codes=_codes(definition, members), text=body_text(response), at=at)


def match(
    definition: ProviderDefinition, *, status: int, codes: frozenset[str], text: str, at: Place = API
) -> KnownRefusal | None:
    """The first refusal of the catalogue for a status, with one of these codes or with this text."""
    folded, lower = text.casefold(), frozenset(code.casefold() for code in codes)
    for known in definition.refusals:
        by_code = not known.error or known.error.casefold() in lower
        by_text = not known.contains or known.contains.casefold() in folded
        if by_code and by_text and known.at in ("", at) and _status_fits(definition, known, status):
            return known
    return None


def error_of_meaning(
    meaning: Meaning, facts: Mapping[str, Any], *, wait: float | None, known: KnownRefusal | None
) -> ProviderError:
    """The error that a meaning stands for, with what the catalogue says to it.

    Shape:  facts are the arguments that all provider errors have.
    """
    error: ProviderError
    if meaning in _SAYS_SO_ITSELF:
        throttled = meaning == "throttled"
        # Being told to wait is being told that nothing was done.
        error = ProviderUnavailable(
            retry_after=wait, processed=False if throttled or known else None, throttled=throttled, **facts
        )
    else:
        error = _KINDS[meaning](**facts)
    return error.explained(known.fields, known.text) if known else error


def body_text(response: HttpResponse) -> str:
    """The body as text, as far as it can hold a refusal."""
    return response.body[:_TEXT_LIMIT].decode("utf-8", "replace")


def _codes(definition: ProviderDefinition, members: Mapping[str, Any] | None) -> frozenset[str]:
    if not members:
        return frozenset()
    error, path = text_at(members, "error"), definition.api_errors.code_path
    found = (error, quirks.error_code(definition.quirks, error), text_at(members, path) if path else "")
    return frozenset(filter(None, found))


def _status_fits(definition: ProviderDefinition, known: KnownRefusal, status: int) -> bool:
    if known.statuses:
        return status in known.statuses
    if 200 <= status < 300:
        account = definition.external_account
        return bool(account and account.body_ok)
    return (status < 500 and status not in _NOT_THE_APPLICATION) or known.means in _SAYS_SO_ITSELF
