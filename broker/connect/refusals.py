"""What to tell the customer when what was filled in was not taken: above the form, and beside each field."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from broker.connect.outcomes import OUTCOMES, Outcome, Turn
from broker.connect.sentences import Sentence, sentence
from broker.services.entering import EntryRefused
from providers.definition import EnteredField, ProviderDefinition
from providers.errors import RequestRefused
from providers.protocol.entered import read_entered

_TRY_AGAIN = _("Nothing was stored. Wait a few minutes, then try again; what you entered may well be right.")
# What differs on a form from the words for a sign-in at the provider.
_FORM_OUTCOMES: dict[str, Outcome] = {
    "value_refused": Outcome(_("Check what you entered"), _("Nothing was sent or stored.")),
    "credential_refused": Outcome(
        _("%(provider)s did not accept what you entered"),
        _("Nothing was stored. Copy each value once more, all of it, and check that it is for the right company."),
    ),
    "provider_unavailable": Outcome(_("%(provider)s does not answer right now"), _TRY_AGAIN),
    "response_malformed": Outcome(_("We did not understand the answer of %(provider)s"), _TRY_AGAIN),
    "account_mismatch": Outcome(
        _("That is another company"),
        _("Nothing was changed. Enter what belongs to the company that is connected already: %(account)s"),
    ),
    "account_unconfirmed": Outcome(
        _("We could not confirm which company it is"),
        _("%(provider)s did not tell us whose values these are, so nothing was changed. Try again in a few minutes."),
    ),
    "unknown_company": Outcome(_("Choose a company"), _("Choose one of the companies below, then press the button.")),
    "interrupted": Outcome(
        _("Something went wrong on our side"),
        _("This is not your fault, and nothing was stored. Wait a few minutes, then try again."),
    ),
}
_PROBLEMS: dict[str, str | Promise] = {
    "missing": _("Fill in this field."),
    "too_long": _("This is too long. Copy the value only, without the text around it."),
    "not_a_business_id": _("This is not a business ID. It has seven digits, a hyphen and one more digit."),
    "check_digit": _("One of the digits is wrong: the last one does not fit those before it."),
    "two_ways": _("Fill in one option only, and leave the other one empty."),
    "no_way": _("Fill in one of the options."),
    "unknown_field": _("The form has changed since you opened it. Open the link you were sent again."),
}
_EXPECTED = _("This does not look right. Expected: %(expected)s.")
_SUSPECT = _("Check this value.")
# About the form as a whole, not about the field that the refusal happens to name.
_ABOUT_ALL = ("two_ways", "no_way", "unknown_field")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a form is shown again.

    Shape:  title and text stand above the form; marked says what is wrong with each field. turn is STAFF when the
            customer cannot do anything about it.
    """

    code: str
    title: str
    text: Sentence
    turn: Turn = Turn.CUSTOMER
    marked: Mapping[str, Sentence] = field(default_factory=dict)


def trouble(
    refused: EntryRefused, definition: ProviderDefinition, typed: Mapping[str, str], names: Mapping[str, str]
) -> Trouble:
    """Return the words for a refusal; names fill %(provider)s, %(tenant)s and %(account)s."""
    outcome = _FORM_OUTCOMES.get(refused.code) or OUTCOMES[refused.code]
    text = sentence(refused.explanation) if refused.explanation else Sentence(str(outcome.text) % names)
    problem = _problem_of(refused, definition, typed)
    if problem in _ABOUT_ALL:
        text = Sentence(str(_PROBLEMS[problem]))
    return Trouble(
        code=refused.code,
        title=str(outcome.title) % names,
        text=text,
        turn=outcome.turn,
        marked={} if problem in _ABOUT_ALL else _marked(refused, definition, typed),
    )


def _problem_of(refused: EntryRefused, definition: ProviderDefinition, typed: Mapping[str, str]) -> str:
    """The problem; another word for a field that is missing only because no way was chosen at all."""
    of_ways = [one.name for one in definition.entered_fields if one.way]
    nothing = refused.problem == "missing" and of_ways and not any(typed.get(name, "").strip() for name in of_ways)
    return "no_way" if nothing else refused.problem


def _marked(refused: EntryRefused, definition: ProviderDefinition, typed: Mapping[str, str]) -> dict[str, Sentence]:
    fields = {one.name: one for one in definition.entered_fields}
    if refused.code != "value_refused":
        return {name: Sentence(str(_SUSPECT)) for name in refused.fields if name in fields}
    named = {fields[name].way for name in refused.fields if name in fields}
    # A refusal names one field, the first; a person would rather hear of all that are wrong at once.
    wrong = {one.name: _problem(definition, one, typed) for one in fields.values() if one.way in {"", *named}}
    found = {name: said for name, said in wrong.items() if said}
    return found or {name: _words(refused.problem, refused.expected) for name in refused.fields if name in fields}


def _problem(definition: ProviderDefinition, one: EnteredField, typed: Mapping[str, str]) -> Sentence | None:
    alone = msgspec.structs.replace(definition, entered_fields=(msgspec.structs.replace(one, way=""),))
    try:
        read_entered(alone, {one.name: typed.get(one.name, "")})
    except RequestRefused as error:
        return _words(error.problem, error.expected)
    return None


def _words(problem: str, expected: str) -> Sentence:
    if known := _PROBLEMS.get(problem):
        return Sentence(str(known))
    wanted = sentence(expected)
    return Sentence(str(_EXPECTED) % {"expected": wanted.text}, wanted.lang)
