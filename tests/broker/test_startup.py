"""A process whose keyring does not fit its database does not start; neither does a worker that could lose tokens."""

import base64
import hashlib

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from broker import checks, startup
from broker.celery import app
from broker.services import credentials, escrow

ANOTHER = base64.b64encode(hashlib.sha256(b"another keyring").digest()).decode()


@pytest.fixture
def use(settings):
    def change(**values: str) -> None:
        for name, value in values.items():
            setattr(settings, name, value)
        credentials.vault.cache_clear()

    yield change
    credentials.vault.cache_clear()


def test_the_right_keyring_starts(settled, client):
    startup.refuse_unsafe_start()
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"KEYRING": f"other:{ANOTHER}"}, {"KEYRING": f"1:{ANOTHER}"}, {"BROKER_ENVIRONMENT": "elsewhere"}],
    ids=["a version is missing", "a version holds another key", "the keys are of another environment"],
)
def test_keys_that_do_not_fit_are_refused(settled, client, use, changes):
    use(**changes)
    with pytest.raises(ImproperlyConfigured, match=r"broker\.E004"):
        startup.refuse_unsafe_start()
    assert client.get("/readyz").status_code == 503


CELERY = {**app.conf}


def renewing(**celery: object) -> None:
    startup.refuse_unsafe_renewals({**CELERY, **celery}, pool="celery.concurrency.thread")


class TestAWorker:
    def test_starts_as_it_is_set(self, settled):
        renewing()

    def test_refuses_an_escrow_that_cannot_be_written(self, settled, settings):
        settings.ESCROW_DIRECTORY = "/dev/null/nowhere"
        with pytest.raises(ImproperlyConfigured, match=r"broker\.E005. ESCROW_DIRECTORY: no file can be written"):
            renewing()

    def test_makes_the_escrow_for_itself_alone(self, settled, settings, tmp_path):
        folder = tmp_path / "wide"
        folder.mkdir(mode=0o755)
        settings.ESCROW_DIRECTORY = str(folder)
        renewing()
        assert (folder.stat().st_mode & 0o777, list(folder.iterdir())) == (0o700, [])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("task_acks_late", False),
            ("task_reject_on_worker_lost", None),
            ("worker_prefetch_multiplier", 4),
            ("task_time_limit", None),
            ("task_soft_time_limit", 5),
            ("task_ignore_result", False),
            ("task_serializer", "pickle"),
            ("accept_content", ["json", "pickle"]),
            ("broker_connection_retry_on_startup", False),
            ("broker_transport_options", {"visibility_timeout": 3600}),
            ("broker_transport_options", {}),
        ],
    )
    def test_refuses_a_celery_that_was_set_otherwise(self, settled, name, value):
        with pytest.raises(ImproperlyConfigured, match=rf"broker\.E006. Celery's {name} must be"):
            renewing(**{name: value})

    @pytest.mark.parametrize("pool", ["celery.concurrency.gevent", "celery.concurrency.prefork", "gevent"])
    def test_refuses_a_pool_that_cannot_renew(self, settled, pool):
        with pytest.raises(ImproperlyConfigured, match=r"broker\.E007"):
            startup.refuse_unsafe_renewals(CELERY, pool=pool)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("synchronous_commit", "off"),
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
        ],
    )
    def test_refuses_a_database_session_that_could_lose_or_hang(self, settled, name, value):
        with connection.cursor() as cursor:
            cursor.execute(f"SET {name} = {value!r}")
        found = checks.database_is_durable()
        # The pool would hand the session on as it is now.
        connection.close_pool()
        assert [(one.id, name in one.msg) for one in found] == [("broker.E008", True)]


def test_beat_refuses_a_celery_that_was_set_otherwise(settled):
    startup.refuse_unsafe_beat(CELERY)
    with pytest.raises(ImproperlyConfigured, match=r"broker\.E006"):
        startup.refuse_unsafe_beat({**CELERY, "task_serializer": "pickle"})


def test_a_queue_that_throws_hints_away_is_told():
    assert checks.queue_keeps_hints("noeviction") == []
    [told] = checks.queue_keeps_hints("allkeys-lru")
    assert told.id == "broker.W002"


def test_the_web_process_starts_without_an_escrow_and_says_what_that_means(settled, settings, caplog, monkeypatch):
    replaying = []
    monkeypatch.setattr(escrow.Replayer, "start", lambda self: replaying.append(self))
    settings.ESCROW_DIRECTORY = "/dev/null/nowhere"
    startup.start_web()
    assert "broker.E005" in caplog.text
    assert len(replaying) == 1
