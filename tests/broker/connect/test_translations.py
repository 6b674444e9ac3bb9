"""Every word that a customer can read exists in every language, and the compiled files say the same."""

import re

import pytest
from babel.messages.pofile import read_po
from django.conf import settings

from tests.broker.connect import messages

NAMES = re.compile(r"%\(\w+\)s")
EACH = pytest.mark.parametrize("language", messages.LANGUAGES)


def keys(catalog):
    return {message.id for message in catalog if message.id}


def strings(message):
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def said(catalog):
    """Message ids as text, because a plural's is a list in one kind of file and a tuple in the other."""
    return {message.id if isinstance(message.id, str) else message.id[0]: strings(message) for message in catalog}


def test_every_language_of_the_pages_has_its_file():
    assert {code for code, _ in settings.LANGUAGES} == {"en", *messages.LANGUAGES}


def test_the_template_holds_what_the_pages_and_the_catalogue_say():
    with messages.TEMPLATE.open("rb") as file:
        assert keys(read_po(file)) == keys(messages.collect()), "run `python -m tests.broker.connect.messages`"


@EACH
def test_nothing_is_missing_or_guessed(language):
    catalog = messages.read(language)
    assert keys(catalog) == keys(messages.collect())
    for message in catalog:
        if message.id:
            assert all(strings(message)), message.id
            assert not message.fuzzy, message.id
    assert not catalog.obsolete


@EACH
def test_a_translation_names_the_same_things(language):
    for message in messages.read(language):
        if message.id and isinstance(message.id, str):
            assert sorted(NAMES.findall(message.id)) == sorted(NAMES.findall(message.string)), message.id


@EACH
def test_a_translation_is_one(language):
    """Not the English sentence left as it was; one word may be the same in both."""
    for message in messages.read(language):
        if message.id and " " in str(message.id):
            assert message.id not in strings(message), message.id


@EACH
def test_the_compiled_file_is_in_step(language):
    source, compiled = messages.read(language), messages.read_compiled(language)
    expected, found = said(source), said(compiled)
    assert len(expected) > 50
    assert {**found, "": ""} == {**expected, "": ""}, "run `python -m tests.broker.connect.messages`"
    assert compiled.num_plurals == source.num_plurals
