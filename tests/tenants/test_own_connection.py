"""The thread's own connection for the hottest statement: the same rows, and nothing that breaks it stays broken."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import DataError, OperationalError, ProgrammingError, transaction
from django.db import connection as database

from tenants.querysets import own_connection, rows

pytestmark = pytest.mark.django_db(transaction=True)
_WHO = "SELECT pg_backend_pid(), %(text)s::text, %(id)s::uuid, %(yes)s::boolean, %(none)s::text, now()"


@pytest.fixture
def own() -> Iterator[None]:
    own_connection.allow()
    yield
    own_connection.leave()


def given(**more: object) -> dict[str, object]:
    return {"text": "å'$1%", "id": uuid4(), "yes": True, "none": None} | more


def run(sql: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(sql)


def session() -> int:
    found = own_connection.row("SELECT pg_backend_pid(), %(text)s::text", {"text": ""})
    assert found is not None
    return int(found[0])


def test_without_leave_the_thread_asks_on_django_s_connection():
    with transaction.atomic():
        assert session() == rows.rows("SELECT pg_backend_pid()", {})[0][0]


def test_the_same_values_as_on_django_s_connection(own):
    parameters = given(text="b'\"\\", yes=False)
    found, usual = own_connection.row(_WHO, parameters), rows.prepared_row(_WHO, parameters)
    assert found is not None
    assert usual is not None
    assert found[1:5] == usual[1:5]
    assert found[5].isoformat().endswith("+00:00")
    assert found[0] != usual[0]


def test_a_parameter_that_is_named_twice_is_sent_once(own):
    assert own_connection.row("SELECT %(a)s::text || %(b)s::text || %(a)s::text", {"a": "1", "b": "2", "c": "3"}) == (
        "121",
    )


def test_nothing_found_is_none(own):
    assert own_connection.row("SELECT 1 WHERE %(yes)s::boolean", {"yes": False}) is None


def test_each_thread_has_one_and_keeps_it(own):
    assert session() == session()
    seen: list[int] = []

    def ask() -> None:
        own_connection.allow()
        seen.append(session())
        own_connection.leave()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert seen != [session()]


def test_a_session_that_was_ended_is_followed_by_another(own):
    before = session()
    run(f"SELECT pg_terminate_backend({before})")
    assert session() != before


def test_a_table_that_changed_under_the_plan_is_read_as_it_is_now(own):
    run("CREATE TABLE hot_one (a int); INSERT INTO hot_one VALUES (1)")
    try:
        assert own_connection.row("SELECT * FROM hot_one", {}) == (1,)
        run("ALTER TABLE hot_one ADD b int DEFAULT 2")
        assert own_connection.row("SELECT * FROM hot_one", {}) == (1, 2)
    finally:
        run("DROP TABLE hot_one")


def test_a_refused_statement_is_django_s_error_and_the_next_one_works(own):
    with pytest.raises(ProgrammingError):
        own_connection.row("SELECT nothing_like_that", {})
    with pytest.raises(DataError):
        own_connection.row("SELECT %(id)s::uuid", {"id": "no id"})
    assert session()


def test_text_with_a_nul_is_refused_and_never_cut_off(own):
    with pytest.raises(DataError):
        own_connection.row("SELECT %(text)s::text", {"text": "acme\x00other"})
    assert session()


def test_without_a_server_it_is_django_s_error(own, monkeypatch):
    parameters = database.get_connection_params() | {"host": "/nowhere", "port": "1"}
    monkeypatch.setattr(own_connection.allow(), "get_connection_params", lambda: dict(parameters))
    with pytest.raises(OperationalError):
        session()
