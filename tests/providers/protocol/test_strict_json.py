from __future__ import annotations

import pytest

from providers.protocol.strict_json import MAXIMUM_DEPTH, parse_object, text_at


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


class TestParseObject:
    def test_an_object_is_parsed_with_or_without_a_byte_order_mark(self):
        assert parse_object('{"a": "é"}'.encode()) == {"a": "é"}
        assert parse_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"null",
            b'"text"',
            b"<html>",
            b'{"a": 1, "a": 2}',
            b'{"b": {"a": 1, "a": 1}}',
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": 1} trailing',
            b'{"a": "\xff"}',
            b"\xff\xfe{\x00}\x00",
            b'{"a": ' + b"9" * 5000 + b"}",
            b"[" * 1_000_000,
            b'{"a":' * 100_000,
        ],
        ids=lambda body: repr(body[:20]),
    )
    def test_anything_else_is_none(self, body):
        assert parse_object(body) is None

    def test_depth_has_a_limit(self):
        assert parse_object(nested(MAXIMUM_DEPTH)) is not None
        assert parse_object(nested(MAXIMUM_DEPTH + 1)) is None


class TestTextAt:
    def test_text_and_numbers_are_found_by_path(self):
        assert text_at({"a": {"b": "x"}}, "a.b") == "x"
        assert text_at({"a": 7}, "a") == "7"

    @pytest.mark.parametrize("value", [None, {}, {"a": None}, {"a": True}, {"a": []}, {"a": {"b": 1}}, {"a": 1.5}])
    def test_anything_else_is_empty(self, value):
        assert text_at(value, "a") == ""
