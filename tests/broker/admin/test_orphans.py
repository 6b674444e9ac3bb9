"""The list of tokens that no connection holds: in words, to be filtered, with a way to the connection."""

import re

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from broker.admin.orphans import OUTCOMES
from tenants.models import Connection, CredentialOrphan
from tests.broker.admin import orphans

LIST = "/admin/tenants/credentialorphan/"


def test_a_row_tells_whose_and_what_becomes_of_them(support: Client, connection: Connection) -> None:
    orphans.held(connection)
    with CaptureQueriesContext(database) as queries:
        page = support.get(LIST).content.decode()
    row = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<tbody>")[1]))
    assert "Held May be the ones that work" in row
    assert "Acme Oy" in row
    assert "Aalto Oy" in row
    assert f'<a href="/admin/tenants/connection/{connection.pk}/change/">' in page
    assert orphans.CANARY not in page
    assert not [query for query in queries if '"sealed"' in query["sql"]]


@pytest.mark.parametrize(
    ("query", "shown"), [("outcome=held", 1), ("outcome=revoke", 2), ("tenant=nobody", 0), ("", 3)]
)
def test_it_can_be_filtered(support: Client, connection: Connection, query: str, shown: int) -> None:
    for outcome in ("held", "revoke", "revoke"):
        orphans.held(connection, outcome)
    assert support.get(f"{LIST}?{query}").content.decode().count("<tr><td") == shown


def test_every_outcome_has_words() -> None:
    assert set(OUTCOMES) == set(CredentialOrphan.Outcome)
