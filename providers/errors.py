"""The failures a provider can cause, by whose turn it is. Imports nothing of this room.

    ProviderError
    ├── GrantRejected                  the customer's turn, once the caller has confirmed it
    ├── ClientRejected                 staff's turn: our registration or request is wrong
    ├── ProviderUnavailable            nobody's turn: wait, then try again
    ├── ResponseMalformed              ours to investigate: the outcome is unknown
    ├── AuthorizationRefused           the customer said no, or the provider did, at the redirection endpoint
    ├── AuthorizationResponseInvalid   we refuse the authorization response
    ├── RightMissing                   the customer's turn, in the provider's own program: a right is not granted
    ├── AccountUnverified              the customer's turn, or only the provider's: the account is not verified yet
    ├── RequestRefused                 the turn of whoever asks us: we do not sign or keep what was given
    └── UnsupportedOperation           this provider has no such operation
    DefinitionError (ValueError)       a catalogue file is wrong
    UnknownProvider (KeyError)         no catalogue file has this id

No message, argument or chained exception here holds a response body, a secret or a URL's query.
"""

from __future__ import annotations

import re
from typing import Self

DESCRIPTION_LIMIT = 300
# Twenty characters of the token alphabet in a row: longer than the words people write, shorter than any
# token.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9_\-.~+/=%]{20,}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]+")
# Longer codes are words in a row; anything else of that length could be a token sent back to us.
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,19}|[a-z]{1,14}(_[a-z]{1,14}){1,5}")


def redact(text: str) -> str:
    """One line that is safe to log and to show to staff: nothing unprintable, nothing like a token.

    Shape:  at most 300 characters.
    """
    # Cut before the search as well, so that a huge text costs nothing; a token across the cut is still twenty
    # long.
    return _TOKEN_LIKE.sub("[redacted]", one_line(text, 4 * DESCRIPTION_LIMIT))[:DESCRIPTION_LIMIT]


def one_line(text: str, limit: int) -> str:
    """The text without control, direction and other unprintable characters, cut to `limit`."""
    return _UNPRINTABLE.sub(" ", text[:limit]).strip()


def safe_code(code: str | None) -> str | None:
    """An error code when it is short or made of words, else None: what is longer could be a token."""
    return code if code and _ERROR_CODE.fullmatch(code) else None


def safe_identifier(value: str | None) -> str | None:
    """The vendor's id of an incident when it looks like one, else None."""
    # A GUID is longer than what redact() lets pass, yet support asks for it: it is admitted by its own,
    # narrow form.
    return value if value and re.fullmatch(r"[A-Za-z0-9_\-:.]{1,64}", value) else None


class ProviderError(Exception):
    """Something about a provider went wrong; `str()` is safe to log.

    Shape:  provider_id and endpoint (a name such as "token", never a URL) say where; status is HTTP's;
            error is the RFC's code after aliases; description is redacted; error_id is the vendor's own id,
            which its support asks for. fields name what is likely wrong of what was entered or registered, and
            explanation is a sentence of the catalogue for the customer: both empty when the vendor does not say.
    """

    def __init__(
        self,
        *,
        provider_id: str = "",
        endpoint: str = "",
        status: int | None = None,
        error: str | None = None,
        description: str = "",
        error_id: str | None = None,
    ) -> None:
        self.provider_id = provider_id
        self.endpoint = endpoint
        self.status = status
        self.error = safe_code(error)
        self.description = redact(description)
        self.error_id = safe_identifier(error_id)
        self.fields: tuple[str, ...] = ()
        self.explanation = ""
        super().__init__(self._summary())

    def explained(self, fields: tuple[str, ...], explanation: str) -> Self:
        """The same error, with what the catalogue knows of it."""
        self.fields, self.explanation = fields, explanation
        return self

    @property
    def uncertain(self) -> bool:
        """Whether the provider may have acted on the request although we hold no answer to it."""
        return False

    def _summary(self) -> str:
        parts = [f"{self.provider_id or 'provider'} {self.endpoint}".strip()]
        parts += [f"{name} {value}" for name, value in (("status", self.status), ("error", self.error)) if value]
        parts += [part for part in (self.description,) if part]
        return ": ".join(parts)


class GrantRejected(ProviderError):
    """`invalid_grant`: the code or refresh token is no longer good."""


class ClientRejected(ProviderError):
    """The provider refuses our client or our request: `invalid_client`, `invalid_scope`, ..."""


class ProviderUnavailable(ProviderError):
    """No usable answer now: network, 5xx, 429 or `temporarily_unavailable`.

    Shape:  sent is False when no byte of the request left us (name, connection, TLS handshake);
            processed is False when the provider said that it did not act, None when that is unknown.
    Units:  retry_after in seconds, at most a day.
    """

    def __init__(
        self,
        *,
        retry_after: float | None = None,
        sent: bool = True,
        processed: bool | None = None,
        throttled: bool = False,
        provider_id: str = "",
        endpoint: str = "",
        status: int | None = None,
        error: str | None = None,
        description: str = "",
        error_id: str | None = None,
    ) -> None:
        self.retry_after = retry_after
        self.sent = sent
        self.processed = processed if sent else False
        self.throttled = throttled
        super().__init__(
            provider_id=provider_id,
            endpoint=endpoint,
            status=status,
            error=error,
            description=description,
            error_id=error_id,
        )

    @property
    def uncertain(self) -> bool:
        return self.processed is None


class ResponseMalformed(ProviderError):
    """An answer came that says neither yes nor no: whether the provider acted is unknown."""

    sent = True

    @property
    def uncertain(self) -> bool:
        return True


class AuthorizationRefused(ProviderError):
    """The provider sent `error` to the redirection endpoint: `access_denied`, `login_required`, ..."""


class AuthorizationResponseInvalid(ProviderError):
    """We refuse the authorization response.

    Shape:  problem is one of: parameter_repeated, parameter_too_long, code_and_error, code_missing,
            code_malformed, iss_missing, iss_mismatch.
    """

    def __init__(self, *, problem: str, provider_id: str = "", endpoint: str = "redirection") -> None:
        self.problem = problem
        super().__init__(provider_id=provider_id, endpoint=endpoint, description=problem)


class RightMissing(ProviderError):
    """The credential is good and not enough: a right has to be granted in the provider's own program."""


class AccountUnverified(ProviderError):
    """The credential is good, and the provider has not yet verified the account behind it.

    Shape:  account is a `messages.ExternalAccount` and verified a `messages.VerifiedCredential`, as far as the
            provider has said whose it is; None else.
    """

    account: object = None
    verified: object = None


class RequestRefused(ProviderError):
    """We refuse what was given before anything is signed, kept or sent.

    Shape:  field names the place; problem is a word for programs; position counts characters from 0 in the
            field as it was given; expected is the next step in our own words. No part of the value is here.
    """

    def __init__(
        self,
        *,
        problem: str,
        field: str,
        position: int | None = None,
        expected: str = "",
        provider_id: str = "",
    ) -> None:
        self.problem = problem
        self.field = field
        self.position = position
        self.expected = expected
        super().__init__(provider_id=provider_id, description=problem)

    def _summary(self) -> str:
        place = self.field if self.position is None else f"{self.field} at {self.position}"
        return ": ".join(part for part in (self.provider_id, place, self.problem, self.expected) if part)


class UnsupportedOperation(ProviderError):
    """The provider cannot do this; `supported` names what it can."""

    def __init__(self, *, provider_id: str, operation: str, supported: tuple[str, ...]) -> None:
        self.operation = operation
        self.supported = supported
        super().__init__(provider_id=provider_id, description=f"{operation} is not among {', '.join(supported)}")


class DefinitionError(ValueError):
    """A catalogue file is wrong; the message names the file, the key and what is expected."""

    def __init__(self, *, file: str, key: str, expected: str) -> None:
        self.file = file
        self.key = key
        self.expected = expected
        super().__init__(f"{file}: {key}: {expected}")


class UnknownProvider(KeyError):
    """No catalogue file has this provider id."""

    def __init__(self, provider_id: str) -> None:
        self.provider_id = redact(provider_id)
        super().__init__(self.provider_id)

    def __str__(self) -> str:
        return f"no provider {self.provider_id!r} in the catalogue"
