"""The form of a provider whose credential is typed in: its fields in words, and what was typed the last time."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from broker.connect.sentences import Sentence, sentence, sentences
from providers.definition import EnteredField, ProviderDefinition

# A business id is digits, and its hyphen may be left out: a telephone's keypad of digits is enough.
_INPUT_MODES = {"business_id": "numeric"}
_SHOWN_AGAIN = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One field as the page shows it; `problem` is what is wrong with the value that was typed.

    again: it was typed already, is secret, and has to be typed once more.
    """

    name: str
    label: Sentence
    help: list[Sentence]
    example: str
    secret: bool
    required: bool
    input_mode: str
    value: str
    problem: Sentence | None
    focused: bool
    again: bool

    @property
    def described_by(self) -> str:
        """The ids of what a screen reader reads after the label: what is wrong first."""
        parts = {"problem": self.problem, "help": self.help, "example": self.example, "again": self.again}
        return " ".join(f"{part}-{self.name}" for part, there in parts.items() if there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Fields that belong together; with a number where the customer fills in one way of several."""

    number: int
    questions: list[Question]


def ways(definition: ProviderDefinition, typed: Mapping[str, str], marked: Mapping[str, Sentence]) -> list[Way]:
    """Return the form's fields: those for everybody first, then one group for each way to connect.

    Shape:  typed is what is shown again, secrets excepted; marked is what is wrong with a field.
    """
    fields = sorted(definition.entered_fields, key=lambda one: _place(definition, one))
    first = next((one.name for one in fields if one.name in marked), "")
    grouped = groupby(fields, key=lambda one: one.way)
    groups = [(way, [_question(one, typed, marked, one.name == first) for one in group]) for way, group in grouped]
    numbered = [way for way, _questions in groups if way]
    return [Way(number=numbered.index(way) + 1 if way else 0, questions=group) for way, group in groups]


def _place(definition: ProviderDefinition, one: EnteredField) -> int:
    """In the order of the file; the fields of one way together, whatever stands between them."""
    return -1 if not one.way else [other.way for other in definition.entered_fields].index(one.way)


def _question(one: EnteredField, typed: Mapping[str, str], marked: Mapping[str, Sentence], focused: bool) -> Question:
    return Question(
        name=one.name,
        label=sentence(one.label),
        help=sentences(one.help),
        example=one.example,
        secret=one.secret,
        # With several ways no single field has to be filled in.
        required=not one.way,
        input_mode=_INPUT_MODES.get(one.kind, ""),
        value="" if one.secret else typed.get(one.name, "")[:_SHOWN_AGAIN],
        problem=marked.get(one.name),
        focused=focused,
        again=one.secret and bool(typed.get(one.name)),
    )
