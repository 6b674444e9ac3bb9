from __future__ import annotations

import pytest

from providers.errors import ClientRejected, GrantRejected, ProviderUnavailable, ResponseMalformed, RightMissing
from providers.messages import HttpResponse
from providers.visma.netvisor_response import judge, likely_wrong, read_status, reading


def body(*statuses: str, encoding: str = "utf-8", head: str = "") -> bytes:
    inner = "".join(f"<Status>{status}</Status>" for status in statuses)
    text = (
        f"{head}<Root>\r\n  <ResponseStatus>{inner}<TimeStamp>21.6.2023 13:46:01</TimeStamp></ResponseStatus>"
        "<Customerlist><Customer><Status>FAILED</Status></Customer></Customerlist></Root>"
    )
    return text.encode(encoding)


def failed(code: str, text: str = "teksti") -> bytes:
    return body("FAILED", f"{code} :: {text}")


class TestReadStatus:
    def test_ok(self):
        assert read_status(body("OK")).code == "ok"

    @pytest.mark.parametrize("text", ["Avaimet ovat väärät", "Nycklarna är fel", "The keys are not valid", ""])
    @pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15"])
    def test_the_code_is_the_second_status_whatever_language_follows(self, text, encoding):
        status = read_status(body("FAILED", f"AUTHENTICATION_FAILED :: {text}", encoding=encoding))
        assert (status.code, status.text) == ("authentication_failed", text)

    def test_a_declared_encoding_is_believed(self):
        raw = body(
            "FAILED", "INVALID_DATA :: ä€", encoding="iso-8859-15", head='<?xml version="1.0" encoding="ISO-8859-15"?>'
        )
        assert read_status(raw).text == "ä€"

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"<html><body>Maintenance</body></html>",
            b"{}",
            body(),
            body("FAILED"),
            body("FAILED", "keys are not valid :: x"),
            body("MAYBE", "INVALID_DATA :: x"),
            b"<Root><ResponseStatus><Status>OK</Status>",
            b'<!DOCTYPE Root [<!ENTITY x "OK">]><Root><ResponseStatus><Status>&x;</Status></ResponseStatus></Root>',
            b'<!DOCTYPE Root SYSTEM "file:///etc/passwd">' + body("OK"),
        ],
    )
    def test_anything_else_is_no_status(self, raw):
        assert read_status(raw) is None


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize(
    ("code", "expected", "uncertain"),
    [
        ("AUTHENTICATION_FAILED", GrantRejected, False),
        ("SERVICE_ACCESS_ERROR", RightMissing, False),
        ("REQUEST_NOT_UNIQUE", ProviderUnavailable, False),
        ("SYSTEM_MAINTENANCE", ProviderUnavailable, False),
        ("SYSTEM_MAINTANANCE", ProviderUnavailable, False),
        ("TECHNICAL_ERROR", ProviderUnavailable, True),
        ("INVALID_DATA", ClientRejected, False),
        ("INVALID_DATA_SIZE", ClientRejected, False),
        ("DUPLICATE_DATA", ClientRejected, False),
        ("PERIOD_LOCK", ClientRejected, False),
        ("SOMETHING_NEW", ResponseMalformed, True),
    ],
)
def test_whose_turn_it_is(status, code, expected, uncertain):
    with pytest.raises(expected) as caught:
        judge(HttpResponse(status=status, body=failed(code)), provider_id="netvisor")
    assert type(caught.value) is expected
    assert caught.value.uncertain is uncertain
    assert caught.value.error == code.lower().replace("maintanance", "maintenance")
    assert caught.value.description == "teksti"


@pytest.mark.parametrize(
    ("text", "expected", "meaning"),
    [
        ("X-Netvisor-Authentication-PartnerId", ClientRejected, "client_rejected"),
        ("X-Netvisor-Authentication-CustomerId", GrantRejected, "credential_refused"),
        (
            "X-Netvisor-Authentication-PartnerId, X-Netvisor-Authentication-CustomerId",
            GrantRejected,
            "credential_refused",
        ),
        ("", GrantRejected, "credential_refused"),
    ],
)
def test_a_refusal_of_our_own_values_alone_blames_no_customer(text, expected, meaning):
    answer = HttpResponse(status=401, body=failed("AUTHENTICATION_FAILED", text))
    with pytest.raises(expected):
        judge(answer, provider_id="netvisor")
    told = reading(answer)
    assert told is not None
    assert told.meaning == meaning


def test_ok_is_nothing():
    judge(HttpResponse(status=200, body=body("OK")), provider_id="netvisor")


def test_a_repeated_transaction_id_needs_no_waiting():
    with pytest.raises(ProviderUnavailable) as caught:
        judge(HttpResponse(status=200, body=failed("REQUEST_NOT_UNIQUE")), provider_id="netvisor")
    assert caught.value.retry_after == 0


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, ResponseMalformed), (404, ResponseMalformed), (429, ProviderUnavailable), (503, ProviderUnavailable)],
)
def test_without_a_status_the_http_status_decides(status, expected):
    with pytest.raises(expected):
        judge(HttpResponse(status=status, body=b"<html>"), provider_id="netvisor")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("X-Netvisor-Authentication-CustomerId puuttuu", ("customer_id",)),
        ("x-netvisor-organisation-id saknas", ("organisation_id",)),
        ("X-Netvisor-Interface-Language, X-Netvisor-Authentication-PartnerId", ("parameters.language", "client_id")),
        ("keys not valid", ()),
    ],
)
def test_a_refusal_that_names_a_header_names_the_field(text, fields):
    assert likely_wrong(failed("AUTHENTICATION_FAILED", text)) == fields
