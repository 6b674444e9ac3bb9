"""A registration's gate in plain words: whether renewals go through it now, why not, since when, and what is next."""

from typing import Any

from django.contrib import messages

from broker.admin import words
from broker.services.incidents import MASS_REFUSALS
from broker.services.trying import Tried
from tenants.models import ClientRegistration, RegistrationGate

State, Cause = RegistrationGate.State, RegistrationGate.Cause
CAUSES: dict[str, str] = {
    Cause.NONE: "",
    Cause.OUTAGE: "the provider does not answer as it should",
    Cause.INCIDENT: "the provider refuses our registration, and no customer is at fault",
    Cause.DOUBTS: "the provider refuses unusually many customers at once, and none of them is blamed for it",
    Cause.CANARY: "a new client secret is being tried",
    Cause.THROTTLED: "the provider asked us to wait",
}
TRIED: dict[Tried, tuple[int, str]] = {
    Tried.NOTHING_TO_TRY: (messages.INFO, "Nothing to do: renewals go through."),
    Tried.RENEWING: (
        messages.SUCCESS,
        "One connection is renewed within seconds. Load this page again to see how it went.",
    ),
    Tried.ACCEPTED: (messages.SUCCESS, "The provider was asked, and accepts us."),
    Tried.REFUSED: (messages.WARNING, "The provider was asked, and did not accept us."),
    Tried.NOBODY_TO_ASK: (messages.WARNING, "No connection uses this registration, so nothing could be tried."),
}
_SHOWN = 10
_OLD_SECRET = "The new client secret is refused; the old one still works, and is used."


def may_be_tried(row: ClientRegistration) -> bool:
    """Tell whether there is anything that a press of the button could try."""
    gate = _gate(row)
    return gate is not None and (gate.state != State.CLOSED or gate.preferred_secret > 0)


def standing(row: ClientRegistration) -> Any:
    """Return what the registration's page says of renewals."""
    gate = _gate(row)
    if gate is None or gate.state == State.CLOSED:
        note = _OLD_SECRET if gate is not None and gate.preferred_secret else ""
        return words.with_small_print(words.label("connected", "go through"), note)
    paused = gate.state == State.OPEN
    label = words.label("reauthorization_required", "paused") if paused else words.label("degraded", "being tried")
    why = f"Since {words.exact(gate.changed_at)}, because {CAUSES[gate.cause]}."
    sentences = (why, _next(gate), _OLD_SECRET if gate.preferred_secret else "")
    return words.with_small_print(label, " ".join(sentences).strip())


def incident(row: ClientRegistration) -> str:
    """Return what an incident is called, as support reads it."""
    return "it refuses unusually many customers at once" if row.incident == MASS_REFUSALS else f"“{row.incident}”"


def refused_secrets() -> list[ClientRegistration]:
    """Return the registrations whose new client secret is refused while the old one works."""
    rows = ClientRegistration.objects.filter(gate__preferred_secret__gt=0)
    return list(rows.select_related("tenant").defer("sealed_secrets")[:_SHOWN])


def _next(gate: RegistrationGate) -> str:
    if gate.state == State.OPEN:
        at = f"at {words.exact(gate.open_until)}" if gate.open_until else "next"
        return f"One renewal is tried {at}, and more follow when it succeeds."
    tried = "one has succeeded" if gate.step == 1 else f"{gate.step} have succeeded"
    return f"Of those that were tried, {tried}; {gate.probes} more may go now."


def _gate(row: ClientRegistration) -> RegistrationGate | None:
    return RegistrationGate.objects.filter(pk=row.pk).first()
