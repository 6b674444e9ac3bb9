"""The pages for faults, which must not need what failed."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from django.utils import translation

from broker import errors
from broker.connect import failures
from broker.services import sessions


@pytest.fixture
def broken(monkeypatch):
    """Makes the lookup of a link raise something that nobody expected."""

    def breaks(error):
        def find(_token):
            raise error

        monkeypatch.setattr(sessions, "find", find)
        return Client(raise_request_exception=False).get("/connect/" + "x" * 43)

    return breaks


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("secret-in-a-message"), 500, "internal_error"),
        (SuspiciousOperation("secret-in-a-message"), 400, "invalid_request"),
        (PermissionDenied("secret-in-a-message"), 403, "forbidden"),
        (errors.StorageFault("secret-in-a-message"), 500, "storage_fault"),
    ],
)
def test_a_fault_is_a_page_with_a_code_and_without_its_message(broken, error, status, code):
    page = broken(error)
    assert (page.status_code, page["Cache-Control"]) == (status, "no-store")
    assert f"<code>{code}</code>" in page.content.decode()
    assert b"secret-in-a-message" not in page.content
    assert b"Traceback" not in page.content


def test_the_page_of_a_fault_asks_no_database(broken, settings):
    """Without the django_db mark a query would be refused, and end in a bare answer without our words."""
    page = broken(ConnectionError())
    assert b"Something went wrong on our side" in page.content
    assert connection.connection is None


def test_a_failure_speaks_the_language_of_the_browser():
    page = Client().get("/nothing/here", headers={"Accept-Language": "fi-FI,fi;q=0.9,en;q=0.5"})
    assert (page.status_code, page["Content-Language"]) == (404, "fi")
    assert "Täällä ei ole sivua" in page.content.decode()


def test_django_knows_every_handler():
    resolver = get_resolver()
    found = {code: resolver.resolve_error_handler(code) for code in (400, 403, 404, 500)}
    assert found == {
        400: failures.bad_request,
        403: failures.permission_denied,
        404: failures.page_not_found,
        500: failures.server_error,
    }


def test_every_code_that_a_page_can_show_has_words_or_reads_as_our_fault():
    with translation.override("en"):
        for code, (title, text) in failures.TEXTS.items():
            assert str(title), code
            assert str(text), code
    shown = {errors.ConnectLinkInvalid, errors.ConnectLinkExpired, errors.AuthorizationResponseRefused}
    shown |= {errors.ProviderNotAvailable, errors.InvalidRequest, errors.MethodNotAllowed, errors.RouteNotFound}
    assert {error.code for error in shown} <= set(failures.TEXTS)
