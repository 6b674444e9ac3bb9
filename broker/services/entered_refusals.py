"""Why what a customer typed in, or chose, was not taken: what a page needs to say so beside the field."""

from broker.services import incidents
from providers.errors import (
    AccountUnverified,
    ClientRejected,
    GrantRejected,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
    RightMissing,
)
from tenants.models import ClientRegistration

_CODES: tuple[tuple[type[ProviderError], str], ...] = (
    (GrantRejected, "credential_refused"),
    (RightMissing, "right_missing"),
    (AccountUnverified, "account_unverified"),
    (ProviderUnavailable, "provider_unavailable"),
)


class EntryRefused(Exception):
    """Nothing was stored, and the page is shown again.

    Shape:  code is one of value_refused, credential_refused, right_missing, account_unverified,
            registration_rejected, provider_unavailable, response_malformed, account_mismatch, account_unconfirmed,
            company_taken, unknown_company, interrupted. fields are those to mark, none of them when nobody knows.
            problem, position and expected are the refused value's; explanation is a sentence of the catalogue.
            Nothing in it repeats what was typed.
    Units:  retry_after in seconds.
    """

    def __init__(
        self,
        code: str,
        *,
        fields: tuple[str, ...] = (),
        problem: str = "",
        position: int | None = None,
        expected: str = "",
        explanation: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.fields = fields
        self.problem = problem
        self.position = position
        self.expected = expected
        self.explanation = explanation
        self.retry_after = retry_after


def of_value(error: RequestRefused) -> EntryRefused:
    """Return the refusal of a value that was malformed: nothing was sent to anybody."""
    return EntryRefused(
        "value_refused",
        fields=(error.field,),
        problem=error.problem,
        position=error.position,
        expected=error.expected,
        explanation=error.explanation,
    )


def of_answer(error: ProviderError, registration: ClientRegistration, names: tuple[str, ...] = ()) -> EntryRefused:
    """Return what a provider's answer means for whoever looks at the page.

    Shape:  names are the fields that the customer has filled in; a refusal of any other value is staff's.
    Effects: an incident when it is our registration that is refused; the customer is not told which value.
    """
    if isinstance(error, RequestRefused) and error.field in names:
        return of_value(error)
    if isinstance(error, ClientRejected | RequestRefused):
        incidents.report_for(registration, error)
        return EntryRefused("registration_rejected")
    return EntryRefused(
        next((code for kind, code in _CODES if isinstance(error, kind)), "response_malformed"),
        fields=tuple(name for name in error.fields if name in names),
        explanation=error.explanation,
        retry_after=error.retry_after if isinstance(error, ProviderUnavailable) else None,
    )
