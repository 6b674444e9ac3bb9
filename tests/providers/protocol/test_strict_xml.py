from __future__ import annotations

import pytest

from providers.protocol.strict_xml import MAXIMUM_BYTES, texts_of_children

GOOD = b"<r><a><x>1</x><y> 2 </y><x>3<z>no</z></x></a><a><x>4</x></a></r>"


def test_children_of_the_first_one_in_their_order():
    assert texts_of_children(GOOD, "a") == [("x", "1"), ("y", "2"), ("x", "3")]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"])
def test_a_declared_encoding_is_believed(encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><r><a><x>äö</x></a></r>'
    assert texts_of_children(text.encode(encoding), "a") == [("x", "äö")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-15"])
def test_without_declaration_it_is_utf_8_or_else_single_bytes(encoding):
    assert texts_of_children("<r><a><x>ä€</x></a></r>".encode(encoding), "a") == [("x", "ä€")]


def test_what_follows_the_element_may_be_anything_and_endless():
    for rest in (b"<<<", b"<b>" * 100, b"x" * MAXIMUM_BYTES, "ä".encode("latin-1") * MAXIMUM_BYTES):
        assert texts_of_children(b"<r><a><x>1</x></a>" + rest, "a") == [("x", "1")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"text",
        b"{}",
        b"<r></r>",
        b"<a><x>1</x></a>",
        b"<r><b><a><x>1</x></a></b></r>",
        b"<r><a><x>1</x>",
        b"<r><a><x>1</y></a></r>",
        b"<r><a><x>&unknown;</x></a></r>",
        b"<r>" + b"<d>" * 100 + b"</d>" * 100 + b"<a><x>1</x></a></r>",
        b"<r>" + b"<!-- x -->" * MAXIMUM_BYTES + b"<a><x>1</x></a></r>",
        b'<?xml version="1.0" encoding="no-such"?><r><a><x>1</x></a></r>',
        b'<?xml version="1.0" encoding="shift_jis"?><r><a><x>1</x></a></r>',
        b"<!DOCTYPE r><r><a><x>1</x></a></r>",
        b'<!DOCTYPE r [<!ENTITY e "1">]><r><a><x>&e;</x></a></r>',
        b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r><a><x>&e;</x></a></r>',
        b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><r><a><x>&b;</x></a></r>',
        b"<r><a><x>\x00</x></a></r>",
    ],
)
def test_anything_else_is_nothing(body):
    assert texts_of_children(body, "a") is None
