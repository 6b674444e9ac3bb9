"""Catalogue sentences in the language of the page."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import translation


@dataclass(frozen=True, slots=True)
class Sentence:
    """A catalogue sentence; `lang` is set when it could only be said in English."""

    text: str
    lang: str = ""


def sentence(english: str) -> Sentence:
    text = translation.gettext(english)
    spoken = translation.get_language() or "en"
    return Sentence(text, "en" if text == english and spoken != "en" else "")


def sentences(english: Iterable[str]) -> list[Sentence]:
    return [sentence(one) for one in english if one]
