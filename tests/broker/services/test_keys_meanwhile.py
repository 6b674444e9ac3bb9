"""Rotating keys while it is interrupted, run twice, or run beside the broker's own work."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database

from broker.services import credentials, issue, renew, revoke
from broker.services.renewal_attempt import Outcome
from tenants import audit
from tenants.models import Connection, Credential, CredentialOrphan, DataKey
from tests import people
from tests.broker.services.sealed_world import V1, V2, contents, rotate, tokens, under_retired_keys, versions
from tests.together import together

pytestmark = pytest.mark.django_db(transaction=True)


class Interrupted(BaseException):
    """As if the process were killed: nothing catches it."""


def interrupted_after(writes: int) -> Callable[..., Any]:
    left = [writes]

    def wrapper(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("UPDATE", "INSERT")):
            left[0] -= 1
            if left[0] < 0:
                raise Interrupted
        return execute(sql, parameters, many, context)

    return wrapper


def test_interrupted_before_any_write_everything_opens_and_the_next_run_finishes(world, use_keyring):
    use_keyring(V1, V2)
    interruptions = 0
    for writes in range(0, 40, 3):
        try:
            with database.execute_wrapper(interrupted_after(writes)):
                rotate("--data-keys")
        except Interrupted:
            interruptions += 1
        assert contents() == world, writes
        assert DataKey.objects.filter(active=True).count() == 4
    assert interruptions > 7
    rotate()
    assert under_retired_keys() == 0
    assert versions() == {"v2"}
    use_keyring(V2)
    assert contents() == world


def test_two_runs_at_once_do_each_row_once(world, use_keyring):
    use_keyring(V1, V2)
    first, second = together(lambda: rotate("--data-keys"), lambda: rotate("--data-keys"))
    assert (first["failed"], second["failed"]) == (0, 0)
    # The one that came second may find the first one's new keys, and retire those; it never makes two for one tenant.
    assert DataKey.objects.filter(active=True).count() == 4
    rotate()
    assert under_retired_keys() == 0
    assert versions() == {"v2"}
    assert contents() == world


def waits_for_a_lock() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_renewal_in_the_middle_of_a_row_is_not_overwritten_by_what_was_read_before_it(world):
    made = Connection.objects.order_by("pk")[0]
    read, stored = threading.Event(), threading.Event()

    def pause(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if sql.startswith('UPDATE "tenants_credential"') and not read.is_set():
            read.set()
            # Either the renewal waits for the lock that the row is held under, or it was let in: a fault.
            deadline = time.monotonic() + 10
            while not (stored.is_set() or waits_for_a_lock()) and time.monotonic() < deadline:
                time.sleep(0.01)
        return execute(sql, parameters, many, context)

    def rotating() -> object:
        with database.execute_wrapper(pause):
            return rotate("--data-keys")

    def renewing() -> None:
        assert read.wait(10)
        credentials.store(made, 3, tokens("newer"), 3600)
        stored.set()

    Credential.objects.exclude(pk=made.pk).delete()
    together(rotating, renewing)
    assert contents()[f"credential {made.pk}"] == ("access-newer", "refresh-newer")


class Worker(threading.Thread):
    """Does one thing over and over until stopped, and keeps what came of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self._work = work
        self._stopping = threading.Event()
        self.answers: list[object] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.answers.append(self._work())
        except BaseException as error:
            self.error = error
        finally:
            database.close()

    def stop(self) -> list[object]:
        self._stopping.set()
        self.join(30)
        if self.error is not None:
            raise self.error
        return self.answers


def test_it_runs_while_others_renew_and_issue(connect, local_provider):
    made = connect()

    def read() -> str:
        return issue.issue_to_operator(made.id, min_ttl=1, actor=people.STAFF).credential.access_token.reveal()

    workers = [Worker(lambda: renew.renew_now(made.id)), Worker(read)]
    for worker in workers:
        worker.start()
    while min(len(worker.answers) for worker in workers) < 15 and all(worker.is_alive() for worker in workers):
        rotate("--data-keys")
    renewals, reads = (worker.stop() for worker in workers)
    assert set(renewals) == {Outcome.RENEWED}
    assert all(reads)
    rotate()
    assert under_retired_keys() == 0
    # The refresh token that is stored is the newest: nothing was overwritten by an older one.
    assert renew.renew_now(made.id) is Outcome.RENEWED
    assert [(grant["alive"], grant["rotations"]) for grant in local_provider.grants()] == [(True, len(renewals) + 1)]


def test_what_a_disconnected_connection_left_is_still_revoked(connect, local_provider):
    made = connect()
    local_provider.fault("revocation", "error", status=503)
    assert revoke.disconnect(made, actor=audit.SYSTEM) == "pending"
    assert rotate("--data-keys")["resealed"] == 2
    local_provider.clear_faults()
    assert revoke.revoke_orphan(CredentialOrphan.objects.get().pk) is True
    assert [grant["alive"] for grant in local_provider.grants()] == [False]
