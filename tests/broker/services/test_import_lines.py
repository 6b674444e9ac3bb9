"""Lines of an import file that are none: refused by the member's name, and nothing of the value repeated."""

import json

import pytest

from broker.services import importing
from tests import people


def imported(line):
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    return importing.import_line(1, text, dry_run=False, actor=people.STAFF).as_json()


@pytest.mark.parametrize(
    ("text", "reason", "field"),
    [
        (b"{", "not_json", None),
        (b"[]", "not_json", None),
        (b"\xff\xfe", "not_json", None),
        (b'{"tenant": NaN}', "not_json", None),
        (b"[" * 50_000, "not_json", None),
        (b'{"tenant": "a", "tenant": "b"}', "duplicate_member", None),
        (b'{"entered": {"x": "1", "x": "2"}}', "duplicate_member", None),
        (b'{"password": "x"}', "unknown_member", "password"),
        (b'{"tenant": 1}', "wrong_type", "tenant"),
        (b'{"tenant": "a\\u0000"}', "wrong_type", "tenant"),
        (b'{"tenant": "aalto"}', "missing_member", "provider"),
        (b'{"tenant": "a", "provider": "b", "environment": "c"}', "missing_member", "access_token"),
        (b'{"tenant": "a", "provider": "b", "environment": "c", "entered": {"x": 1}}', "wrong_type", "entered"),
        (
            b'{"tenant": "a", "provider": "b", "environment": "c", "entered": {}, "scope": ""}',
            "unknown_member",
            "scope",
        ),
        (b'{"tenant": "a", "provider": "b", "environment": "c", "access_token": "a b"}', "wrong_type", "access_token"),
        (b'{"tenant": "' + b"a" * 70_000 + b'"}', "line_too_long", None),
    ],
)
def test_a_line_that_is_not_one_is_refused_by_name(text, reason, field):
    """No database: nothing of such a line goes further."""
    said = imported(text)
    assert (said["verdict"], said["reason"], said.get("field")) == ("refused", reason, field)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": "2026-01-01T00:00:00"}, "expires_at"),
        ({"expires_in": "60"}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": 1, "expires_at": "2026-01-01T00:00:00Z"}, "expires_in"),
        ({"scope": 1}, "scope"),
        ({"extras": {"a": []}}, "extras"),
        ({"refresh_token": "line\nbreak"}, "refresh_token"),
    ],
)
def test_a_member_of_the_wrong_form_is_named(changed, field):
    line = {"tenant": "a", "provider": "b", "environment": "c", "access_token": "x", **changed}
    assert imported(line)["field"] == field
