"""Log lines: one JSON object each, built from listed fields, with nothing in them that looks like a secret."""

import json
import logging
import sys
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.logs import FIELDS, EventFormatter, redact

TOKEN = "s3cr3t-T0ken"
LONG = "Zm9vYmFyYmF6cXV4" * 3

LEAKS = [
    f"calling with brk_test_abcDEF123456_{LONG}_0badcafe now",
    f"Authorization: Bearer {TOKEN}",
    "authorization=Basic YTpi",
    "{'Authorization': 'Basic YTpi', 'Accept': '*/*'}",
    f"bearer {TOKEN}",
    "DPoP eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiIxIn0.c2ln",
    f"GET /cb/visma?code={TOKEN}&state={TOKEN} HTTP/1.1",
    f"code={TOKEN}",
    f"?state={TOKEN}&iss=https%3A%2F%2Fidp",
    f"next=/cb%3Fcode%3D{TOKEN}%26state%3D{TOKEN}",
    f"grant_type=refresh_token&refresh_token={TOKEN}&client_id=abc",
    f"code_verifier={TOKEN}",
    f'{{"access_token": "{TOKEN}", "token_type": "Bearer"}}',
    f'{{"refresh_token":"with \\" quote and {TOKEN}"}}',
    f"{{'client_secret': 'two words {TOKEN}'}}",
    f'"body": "{{\\"access_token\\": \\"{TOKEN}\\"}}"',
    f'{{\\"id_token\\":\\"{TOKEN}',
    f"client_assertion={TOKEN}",
    f"password={TOKEN} user=x",
    f"host=db password='two words {TOKEN}' user=x",
    f"postgres://broker:{TOKEN}@db:5432/broker",
    f"postgres://broker:p@{TOKEN}@db/broker",
    f"redis://:{TOKEN}@cache:6379/0",
    f"https://user:{TOKEN}@provider.example/",
    f"GET /connect/{LONG[:43]}",
    f"https://broker.example/connect/{LONG[:20]}",
    f"Cookie: __Host-flow={TOKEN}; sessionid={TOKEN}",
    f"set-cookie: demo-flow={TOKEN}; HttpOnly",
    f"sessionid={TOKEN}",
    f"api_key={TOKEN} api-key: {TOKEN}",
    f"KEYRING=v1:{TOKEN}",
    f"SECRET_KEY: {TOKEN}",
    f"the value {LONG} stood alone",
    f"/{LONG}",
    f"/v1/{LONG}",
    f"/{LONG[:43].lower()}",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
    f"first line\ncode={TOKEN}\r\naccess_token: {TOKEN}",
]
MARKS = (TOKEN, LONG, LONG[:20], "YTpi", "two words", "eyJ", "c2ln", "with")


@pytest.mark.parametrize("text", LEAKS)
def test_what_looks_like_a_secret_is_masked(text):
    masked = redact(text)
    assert LONG[:20].lower() not in masked
    assert "***" in masked
    assert [mark for mark in MARKS if mark in masked and mark != "with"] == []
    assert "quote and" not in masked


@pytest.mark.parametrize(
    "text",
    [
        "renewal failed",
        f"connection {uuid.UUID(int=2**127)} is due",
        "Worker: state changed to ready",
        "Not Found: /v1/connections/018fa0b0-1111-7000-8000-000000000000/token?min_ttl=60 404",
        "tokens: 5, codes seen",
        "postgres://broker@db:5432/broker",
        "redirected to /connect/result/018fa0b0-1111-7000-8000-000000000000",
        "invalid_grant",
    ],
)
def test_what_people_need_to_read_is_kept(text):
    assert redact(text) == text


@given(st.text())
def test_any_text_stays_on_one_line(text: str):
    assert len(redact(text).splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in redact(text))


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("some.library", logging.WARNING, __file__, 1, message, arguments, None)
    made.__dict__.update(extra)
    return made


def line(made: logging.LogRecord) -> dict[str, object]:
    text = EventFormatter().format(made)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_says_when_how_bad_who_and_what():
    said = line(record("renewal failed"))
    assert (said["level"], said["logger"], said["event"]) == ("warning", "some.library", "renewal failed")
    assert str(said["at"]).endswith("+00:00")


def test_only_listed_fields_are_kept():
    connection_id = uuid.uuid4()
    said = line(record("x", connection_id=connection_id, seconds=1.5, access_token=TOKEN, request="<request>"))
    assert said == {
        **{name: said[name] for name in ("at", "level", "logger", "event")},
        "connection_id": str(connection_id),
        "seconds": 1.5,
    }


@pytest.mark.parametrize("name", FIELDS)
def test_a_listed_field_is_masked_too(name):
    assert TOKEN not in str(line(record("x", **{name: f"access_token={TOKEN}"})))


def test_arguments_are_masked_with_the_message():
    assert line(record("GET %s", f"/cb/x?code={TOKEN}&state=1"))["event"] == "GET /cb/x?code=***&state=***"


@pytest.mark.parametrize("message", ["one %s too many", "%d", "%(name)s"])
def test_a_wrong_log_call_shows_no_arguments_and_breaks_nothing(message):
    assert line(record(message, TOKEN, TOKEN))["event"] == message


@pytest.mark.parametrize(
    "injected",
    [
        'x\n{"at": "2000-01-01", "level": "info", "event": "forged"}',
        "x\r\nforged",
        "x\u2028forged\u2029\x85\x0b\x0cforged",
        '", "level": "forged',
        "\x1b[2K\x1b[1Gforged",
    ],
)
def test_an_injected_line_stays_inside_its_own(injected):
    for made in (record(injected), record("%s", injected), record("x", reason=injected)):
        text = EventFormatter().format(made)
        assert len(text.splitlines()) == 1
        assert text.isascii()
        assert json.loads(text)["level"] == "warning"


def fail_deep_inside(token: str) -> None:
    held_in_a_local = f"local {token}"
    raise ValueError(f"cannot read {held_in_a_local}")


def test_an_exception_shows_its_class_and_places_but_no_values():
    try:
        fail_deep_inside(TOKEN)
    except ValueError:
        made = record("it broke")
        made.exc_info = sys.exc_info()
    said = line(made)
    assert str(said["exception"]).startswith("ValueError at broker/test_logs.py:")
    assert "fail_deep_inside" in str(said["exception"])
    assert TOKEN not in str(said)
    assert "cannot read" not in str(said)


def test_an_exceptions_cause_and_notes_stay_out():
    try:
        try:
            fail_deep_inside(TOKEN)
        except ValueError as error:
            error.add_note(TOKEN)
            raise KeyError(TOKEN) from error
    except KeyError:
        made = record("it broke", stack_info=f"local {TOKEN}")
        made.exc_info = sys.exc_info()
    assert TOKEN not in EventFormatter().format(made)


@pytest.fixture
def written(settings) -> Iterator[list[str]]:
    """What the configured handler writes, for a logger that nobody configured."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Kept()
    handler.setFormatter(EventFormatter())
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


def test_every_handler_of_the_settings_masks(settings, written):
    assert {handler["formatter"] for handler in settings.LOGGING["handlers"].values()} == {"event"}
    assert settings.LOGGING["formatters"]["event"] == {"()": "broker.logs.EventFormatter"}
    logging.getLogger("a.library.that.nobody.knows").error("token=%s", TOKEN)
    assert written
    assert TOKEN not in written[-1]
