"""Closed days of the audit log: what makes them, and how each kind of tampering is found."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, transaction
from django.db import connection as database

from broker.services import audit_chain, audit_check, credentials, keys
from tenants import audit
from tenants.models import AuditDay, DataKey
from tenants.querysets import audit as rows
from tests.broker.services.auditing import NOW, day_ago, event, execute, log, problems
from tests.broker.services.renewing import in_threads
from tests.together import together

__all__ = ["log"]
LINES = (rows.events_of, rows.reads_of)
pytestmark = pytest.mark.django_db(transaction=True)


class TestClosing:
    def test_every_day_that_is_over_is_closed_days_without_rows_too(self, log):
        days = list(AuditDay.objects.order_by("day").values_list("day", "events", "reads"))
        assert days == [(day_ago(4), 3, 2), (day_ago(3), 0, 0), (day_ago(2), 0, 0), (day_ago(1), 2, 0)]
        assert audit_chain.close_days(NOW, seconds=60) == 0
        assert problems() == []

    def test_the_day_that_is_open_is_left_open(self):
        audit.record("x", audit.SYSTEM, tenant_id=None)
        assert audit_chain.close_days(NOW, seconds=60) == 0
        assert problems() == []

    def test_a_log_without_a_row_has_no_days(self):
        assert audit_chain.close_days(NOW, seconds=60) == 0
        assert problems() == []

    def test_a_day_is_not_closed_before_it_is_over_for_everybody(self):
        end = rows.start_of(day_ago(-1))
        assert not audit_chain._is_over(day_ago(0), end + audit_chain.MARGIN - timedelta(seconds=1))
        assert audit_chain._is_over(day_ago(0), end + audit_chain.MARGIN)

    def test_nor_while_somebody_may_still_write_into_it(self):
        event(0)

        def close_today() -> int:
            return audit_chain.close_days(NOW + timedelta(days=1), seconds=60)

        with transaction.atomic():
            audit.record("x", audit.SYSTEM, tenant_id=None)
            assert in_threads(1, close_today) == [0]
        assert in_threads(1, close_today) == [1]
        assert AuditDay.objects.get().events == 2

    def test_readers_and_later_writers_do_not_keep_it_open(self):
        event(1)
        with transaction.atomic():
            audit.record("x", audit.SYSTEM, tenant_id=None)
            assert in_threads(1, lambda: audit_chain.close_days(NOW, seconds=60)) == [1]
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tenants_auditevent")
            assert in_threads(1, lambda: audit_chain.close_days(NOW + timedelta(days=1), seconds=60)) == [1]

    def test_many_at_once_close_each_day_once(self):
        event(3)
        closed = together(*[lambda: audit_chain.close_days(NOW, seconds=60)] * 4)
        assert AuditDay.objects.count() == 3
        assert sum(closed) == 3
        assert problems() == []

    def test_it_stops_when_its_time_is_over_and_goes_on_later(self):
        event(3)
        assert audit_chain.close_days(NOW, seconds=0) == 0
        assert audit_chain.close_days(NOW, seconds=60) == 3

    def test_a_closed_day_is_not_changed_in_raw_sql_either(self, log):
        for sql in ("UPDATE tenants_auditday SET events = 9", "DELETE FROM tenants_auditday"):
            with pytest.raises(DatabaseError, match="append only"), transaction.atomic(), database.cursor() as cursor:
                cursor.execute(sql)

    def test_a_line_without_a_user_is_as_before_there_could_be_one(self, log):
        """Or days that were closed then would not fit any more."""
        with transaction.atomic():
            events, reads = ([json.loads(line) for lines in of(day_ago(4)) for line in lines] for of in LINES)
        assert ({len(one) for one in events}, {len(one) for one in reads}) == ({9}, {12})
        execute("UPDATE tenants_auditevent SET on_behalf_of = 'u'")
        execute("UPDATE tenants_issuecount SET on_behalf_of = 'u'")
        with transaction.atomic():
            users = [
                json.loads(line)[length:]
                for of, length in zip(LINES, (9, 12), strict=True)
                for line in next(of(day_ago(4)))
            ]
        assert users == [["u"]] * 5

    def test_days_before_and_after_a_rotation_are_checked_with_their_own_key(self):
        event(2)
        audit_chain.close_days(NOW, seconds=60)
        keys.renew_data_keys()
        execute("DELETE FROM tenants_auditday WHERE day = %s", day_ago(1))
        assert audit_chain.close_days(NOW, seconds=60) == 1
        assert len(set(AuditDay.objects.values_list("key_version", flat=True))) == 2
        assert problems() == []
        execute("UPDATE tenants_datakey SET wrapped = 'gone' WHERE active = false")
        assert "cannot be opened" in problems()[0]


SWAP = """
    UPDATE tenants_auditevent SET at = CASE WHEN at < now() - interval '60 hours'
        THEN at + interval '3 days' ELSE at - interval '3 days' END
    WHERE id IN (SELECT min(id) FROM tenants_auditevent UNION SELECT max(id) FROM tenants_auditevent)
"""
ADDED = (
    "INSERT INTO tenants_auditevent (at, actor_kind, actor, action, detail) "
    "SELECT min(at), 'staff', 'mallory', 'x', '{}' FROM tenants_auditevent"
)
TAMPERING: dict[str, tuple[str, int, str]] = {
    "an event is deleted": (
        "DELETE FROM tenants_auditevent WHERE id = (SELECT min(id) FROM tenants_auditevent)",
        4,
        "1 of 3 events are gone",
    ),
    "an event is added": (ADDED, 4, "1 events were added to 3"),
    "an actor is changed": (
        "UPDATE tenants_auditevent SET actor = 'nobody' WHERE id = (SELECT max(id) FROM tenants_auditevent)",
        1,
        "events were changed; their number, 2, is right",
    ),
    "a detail is changed": (
        "UPDATE tenants_auditevent SET detail = '{\"number\": 7}' WHERE id = (SELECT min(id) FROM tenants_auditevent)",
        4,
        "events were changed; their number, 3, is right",
    ),
    "an address is changed": (
        "UPDATE tenants_auditevent SET source = '10.9.9.9' WHERE id = (SELECT min(id) FROM tenants_auditevent)",
        4,
        "events were changed; their number, 3, is right",
    ),
    "a time is changed by a microsecond": (
        "UPDATE tenants_auditevent SET at = at + interval '1 microsecond' "
        "WHERE id = (SELECT max(id) FROM tenants_auditevent)",
        1,
        "events were changed; their number, 2, is right",
    ),
    "events of two days are swapped": (SWAP, 4, "events were changed; their number, 3, is right"),
    "a count is changed": ("UPDATE tenants_issuecount SET reads = 1", 4, "counts of reads were changed"),
    "a count is deleted": (
        "DELETE FROM tenants_issuecount WHERE id = (SELECT min(id) FROM tenants_issuecount)",
        4,
        "1 of 2 counts of reads are gone",
    ),
    "a user is changed": (
        "UPDATE tenants_auditevent SET on_behalf_of = 'u' WHERE id = (SELECT max(id) FROM tenants_auditevent)",
        1,
        "events were changed; their number, 2, is right",
    ),
    "a count's user is changed": (
        "UPDATE tenants_issuecount SET on_behalf_of = 'u'",
        4,
        "counts of reads were changed",
    ),
    "a source is changed": ("UPDATE tenants_issuecount SET source = ''", 4, "counts of reads were changed"),
    "a fingerprint is changed": ("UPDATE tenants_issuecount SET fingerprint = NULL", 4, "counts of reads were changed"),
    "all events go": ("TRUNCATE tenants_auditevent", 4, "3 of 3 events are gone"),
    "the record of a day is changed": (
        "UPDATE tenants_auditday SET events = 4 WHERE events = 3",
        4,
        "its record was changed",
    ),
    "a day in the middle is deleted": (
        "DELETE FROM tenants_auditday WHERE day = (SELECT max(day) - 1 FROM tenants_auditday)",
        1,
        "the days after {3} were deleted",
    ),
    "the first day is deleted": (
        "DELETE FROM tenants_auditday WHERE day = (SELECT min(day) FROM tenants_auditday)",
        3,
        "the days before it were deleted",
    ),
    "a day of another chain is put in": (
        "UPDATE tenants_auditday SET previous = digest WHERE day = (SELECT max(day) FROM tenants_auditday)",
        1,
        "it does not follow from the day before",
    ),
}


class TestTampering:
    @pytest.mark.parametrize("kind", sorted(TAMPERING))
    def test_it_is_found_and_the_first_day_that_differs_is_named(self, log, kind):
        sql, days, sentence = TAMPERING[kind]
        assert problems() == []
        execute(sql)
        expected = sentence.format(*(day_ago(each) for each in range(5)))
        assert problems()[0].startswith(f"{day_ago(days)}: {expected}"), problems()

    def test_a_rewritten_day_does_not_fit_the_next_even_with_a_digest_of_its_own(self, log):
        """Closed anew, with the broker's own key, by somebody who could run its code."""
        execute("UPDATE tenants_auditevent SET actor = 'nobody'")
        first = AuditDay.objects.earliest("day")
        with transaction.atomic():
            found = audit_chain.contents_of(first.day)
        key = audit_chain.key_of(audit_chain.platform_key(first.key_version))
        forged = audit_chain.digest(key, found, bytes(first.previous))
        execute(
            "UPDATE tenants_auditday SET events_digest = %s, digest = %s WHERE day = %s",
            found.events.digest,
            forged,
            first.day,
        )
        assert problems()[0] == f"{day_ago(3)}: it does not follow from the day before: one of the two was closed anew"

    def test_a_digest_that_was_kept_elsewhere_tells_when_the_last_days_were_closed_anew(self, log):
        head = audit_check.check(NOW).head
        execute("DELETE FROM tenants_auditday WHERE day >= %s", day_ago(2))
        execute("UPDATE tenants_auditevent SET actor = 'nobody' WHERE at > now() - interval '60 hours'")
        assert audit_chain.close_days(NOW, seconds=60) == 2
        assert problems() == [], "nothing in the database itself can tell"
        assert problems(expected=head) == ["no day has the digest that was expected: days were deleted, or closed anew"]

    def test_and_one_that_was_kept_long_ago_is_found_in_the_chain(self, log):
        old = bytes(AuditDay.objects.earliest("day").digest)
        assert problems(expected=old.hex()) == []
        assert problems(expected=old.hex(" ", 4).upper()) == []

    def test_a_day_that_nobody_closed_is_told(self, log):
        execute("DELETE FROM tenants_auditday WHERE day >= %s", day_ago(2))
        assert problems() == [f"{day_ago(2)}: it is over, and nobody has closed it; the task close_audit_days does"]

    def test_days_out_of_range_are_not_read_and_still_followed(self, log):
        execute("UPDATE tenants_auditevent SET actor = 'nobody'")
        assert problems(start=day_ago(3), end=day_ago(2)) == []
        checked = audit_check.check(NOW, start=day_ago(1))
        assert (checked.days, checked.events, len(checked.problems)) == (1, 2, 1)
        execute("UPDATE tenants_auditday SET events = 4 WHERE events = 3")
        assert problems(start=day_ago(3), end=day_ago(2)) == [f"{day_ago(4)}: its record was changed"]

    def test_the_key_of_another_installation_vouches_for_nothing(self, log):
        other = DataKey.objects.get(tenant=None, active=True)
        made = credentials.vault().new_data_key(other.pk, None)
        DataKey.objects.filter(pk=other.pk).update(wrapped=made.wrapped)
        assert len(problems()) == 4
        assert problems()[0] == f"{day_ago(4)}: its record was changed"


@pytest.mark.parametrize("pieces", [1, 7, 2000])
def test_a_day_has_the_same_digest_in_whatever_pieces_it_is_read(log, monkeypatch, pieces: int):
    monkeypatch.setattr(rows, "_CHUNK", pieces)
    assert problems() == []


class TestTheCommand:
    def test_prints_the_head_that_operators_keep(self, log, capsys):
        call_command("verify_audit", json=True)
        head = bytes(AuditDay.objects.latest("day").digest).hex()
        assert json.loads(capsys.readouterr().out) == {
            "days": 4,
            "events": 5,
            "reads": 2,
            "head_day": day_ago(1).isoformat(),
            "head": head,
            "reads_deleted_before": None,
            "problems": [],
        }
        call_command("verify_audit", expect=head)

    def test_says_what_is_wrong_first_and_fails(self, log):
        execute("UPDATE tenants_auditevent SET actor = 'nobody'")
        with pytest.raises(CommandError, match=f"{day_ago(4)}: events were changed.* .1 more.$"):
            call_command("verify_audit")
        with pytest.raises(CommandError, match="not a day like"):
            call_command("verify_audit", start="yesterday")
