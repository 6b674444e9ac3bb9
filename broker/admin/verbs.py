"""What staff may do to a connection: each verb calls one service, and says in plain words what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages

from broker.admin import catalogue_facts
from broker.errors import BrokerError
from broker.services import renew, revoke, sessions
from broker.services.plain_words import STATE_WORDS
from broker.services.renewal_attempt import Outcome
from broker.services.sessions import Link
from tenants import audit
from tenants.audit import Actor
from tenants.errors import TenantsError
from tenants.models import Connection, RenewalSlot, State

OUTCOMES: dict[Outcome, tuple[int, str]] = {
    Outcome.RENEWED: (messages.SUCCESS, "The tokens were renewed; the connection works."),
    Outcome.FRESH: (messages.INFO, "Nothing to do: the tokens have been renewed in the meantime."),
    Outcome.BUSY: (messages.INFO, "A renewal is running right now. Load this page again in a few seconds."),
    Outcome.SUSPECT: (
        messages.WARNING,
        "The provider refused to renew. The broker asks once more by itself before the customer is bothered; look "
        "again in a minute.",
    ),
    Outcome.HELD: (
        messages.WARNING,
        "The provider refused to renew, as it does with unusually many customers at once. Nobody is blamed for it; the "
        "registration's page says when it is tried again.",
    ),
    Outcome.DEAD: (
        messages.ERROR,
        "The provider no longer accepts this connection: the customer must connect again. Make a repair link.",
    ),
    Outcome.CLIENT_REJECTED: (
        messages.ERROR,
        "The provider refuses our own registration. Tell the operators; the customer can do nothing.",
    ),
    Outcome.RIGHT_MISSING: (
        messages.WARNING,
        "The provider accepts the credential, but a right is missing in its own program. Tell the customer which: the "
        "timeline says it.",
    ),
    Outcome.ACCOUNT_UNVERIFIED: (
        messages.WARNING,
        "The provider has not verified the customer's company yet. The broker tries again by itself.",
    ),
    Outcome.INVALID_SCOPE: (
        messages.ERROR,
        "The provider does not give the rights that our registration asks for. Tell the operators.",
    ),
    Outcome.UNAVAILABLE: (
        messages.WARNING,
        "The provider did not answer as it should. The broker tries again by itself.",
    ),
    Outcome.MALFORMED: (
        messages.WARNING,
        "The provider answered something that cannot be used. The broker tries again by itself; if it goes on, tell "
        "the operators.",
    ),
    Outcome.UNSUPPORTED: (
        messages.ERROR,
        "This provider cannot renew. The customer connects again with a repair link.",
    ),
    Outcome.STORAGE_FAULT: (
        messages.ERROR,
        "The stored tokens cannot be opened. This is a fault of ours: tell the operators.",
    ),
    Outcome.FENCE_LOST: (
        messages.WARNING,
        "Somebody else changed the connection during the renewal. Load this page again to see how it stands.",
    ),
}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a verb. `link` is shown once, on the page that answers the press of the button."""

    level: int
    text: str
    link: Link | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """Shape: `states` are those it makes sense in; `limit` is how many connections one press may touch; `warning` is
    said by the question that is asked first, where `confirm` is set.
    """

    name: str
    label: str
    permission: str
    states: frozenset[str]
    run: Callable[[Connection, Actor], Done]
    limit: int
    confirm: bool = False
    warning: str = ""


def perform(verb: Verb, connection: Connection, actor: Actor) -> Done:
    """Do it, unless the connection's state by now makes no sense of it. Effects: those of the verb's service."""
    connection.refresh_from_db(fields=["state", "reason"])
    if connection.state not in verb.states:
        return Done(messages.WARNING, f"Not possible in the state “{STATE_WORDS[connection.state]}”.")
    try:
        return verb.run(connection, actor)
    except BrokerError as error:
        return Done(messages.ERROR, f"{error.title}. {error.detail}")
    except TenantsError:
        return Done(*OUTCOMES[Outcome.STORAGE_FAULT])


def _renew(connection: Connection, actor: Actor) -> Done:
    if not RenewalSlot.objects.filter(pk=connection.pk, state=RenewalSlot.State.SCHEDULED).exists():
        return Done(
            messages.WARNING,
            "There is nothing to renew with: the provider gave no refresh token, or the token never ends.",
        )
    audit.record_for(connection, "staff.renew_requested", actor)
    return Done(*OUTCOMES[renew.renew_now(connection.pk)])


def _repair(connection: Connection, actor: Actor) -> Done:
    link = sessions.repair_link(connection, actor=actor)
    audit.record_for(connection, "staff.repair_link_shown", actor, session=str(link.session.pk))
    return Done(messages.SUCCESS, "Here is the repair link.", link)


def _disconnect(connection: Connection, actor: Actor) -> Done:
    told = revoke.disconnect(connection, actor=actor)
    if told == "pending":
        return Done(
            messages.WARNING,
            "Disconnected here. The provider has not confirmed it yet; the broker keeps telling it for seven days.",
        )
    if told:
        return Done(messages.SUCCESS, "Disconnected, and the provider confirmed that the tokens are revoked.")
    nothing = "Disconnected here. There was nothing the provider could be told to revoke."
    return Done(messages.WARNING, nothing + _still_good(connection))


def _still_good(connection: Connection) -> str:
    known = catalogue_facts.definition(connection.provider_id)
    if known is None or not known.entered_fields:
        return ""
    return " What the customer entered is erased here, and goes on working until the customer ends it at the provider."


def _suspend(connection: Connection, actor: Actor) -> Done:
    revoke.suspend(connection, actor=actor)
    return Done(messages.SUCCESS, "Suspended: no tokens are handed out or renewed until somebody resumes it.")


def _resume(connection: Connection, actor: Actor) -> Done:
    if not revoke.resume(connection, actor=actor):
        return Done(messages.WARNING, "Nothing to do: it is not suspended any more.")
    return Done(messages.SUCCESS, "Resumed: it is renewed within seconds, and its tokens are handed out again.")


_LIVE = frozenset({State.CONNECTED.value, State.DEGRADED.value})
_ALL = frozenset(State.values)
# Those that ask a provider take up to 15 s a connection, within one press of a button.
_ASKS_PROVIDER, _LOCAL = 10, 100

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(name="renew", label="Renew now", permission="renew", states=_LIVE, run=_renew, limit=_ASKS_PROVIDER),
        Verb(
            name="repair",
            label="Make a repair link",
            permission="repair",
            # Not while suspended: connecting again would end the suspension.
            states=_ALL - {State.SUSPENDED.value},
            run=_repair,
            limit=_ASKS_PROVIDER,
        ),
        Verb(name="suspend", label="Suspend", permission="suspend", states=_LIVE, run=_suspend, limit=_LOCAL),
        Verb(
            name="resume",
            label="Resume",
            permission="suspend",
            states=frozenset({State.SUSPENDED.value}),
            run=_resume,
            limit=_LOCAL,
        ),
        Verb(
            name="disconnect",
            label="Disconnect",
            permission="disconnect",
            states=_ALL - {State.DISCONNECTED.value},
            run=_disconnect,
            limit=_ASKS_PROVIDER,
            confirm=True,
            warning=(
                "Services get no more tokens at once, and the provider is told to revoke them. It cannot be undone: "
                "afterwards only the customer can connect again."
            ),
        ),
    )
}
