"""What staff may do about a sign-in with another company: take it, or turn it away."""

from django.contrib import messages

from broker.admin.verbs import Done, Verb
from broker.services import parked
from broker.services.storing import CompanyTaken, TenantEnded
from tenants.audit import Actor
from tenants.models import Connection, State

_NOTHING = Done(messages.WARNING, "Nothing to do: no other sign-in waits here any more.")


def _take(connection: Connection, actor: Actor) -> Done:
    try:
        taken = parked.take(connection, actor=actor)
    except CompanyTaken:
        return Done(messages.ERROR, "Another tenant has this company connected, and only one can. Nothing was changed.")
    except TenantEnded:
        return Done(messages.ERROR, "The tenant is being deleted. Nothing was changed.")
    except parked.SignInEnded:
        return Done(
            messages.ERROR,
            "The tokens of that sign-in have ended and cannot be renewed. Send the customer a repair link: a new "
            "sign-in with this company can be taken. Nothing was changed.",
        )
    if taken is None:
        return _NOTHING
    return Done(
        messages.SUCCESS, f"The connection belongs to {taken.called} now. The tokens it had before are revoked."
    )


def _turn_away(connection: Connection, actor: Actor) -> Done:
    if not parked.turn_away(connection, actor=actor):
        return _NOTHING
    return Done(messages.SUCCESS, "Turned away: its tokens are revoked, and the connection stays as it is.")


_BESIDE = frozenset(
    {State.CONNECTED.value, State.DEGRADED.value, State.REAUTHORIZATION_REQUIRED.value, State.SUSPENDED.value}
)
# For one connection at a time, from its page: each is a decision of its own.
PARKED_VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            name="take",
            label="Take this company",
            permission="repair",
            states=_BESIDE,
            run=_take,
            limit=1,
            confirm=True,
            warning=(
                "From then on, services get tokens for the other company, under the same connection. The tokens of the "
                "company that it belongs to now are revoked. Do it only when the customer has said so."
            ),
        ),
        Verb(name="turn-away", label="Turn it away", permission="repair", states=_BESIDE, run=_turn_away, limit=1),
    )
}
