"""A renewal and a person at the same moment: the person wins, and no token is lost."""

import threading

from django.db import connection as database

from broker.services import renew, revoke, states
from broker.services.renewal_outcomes import Outcome
from tenants import audit
from tenants.models import AuditEvent, Connection, Credential, CredentialOrphan, State
from tests.broker.services.renewing import slot_of

_STAFF = audit.staff("tester")


class TestRacesWithPeople:
    def test_disconnecting_while_a_renewal_is_out_revokes_what_it_brings(self, connect, local_provider):
        connection = connect()
        local_provider.fault("token", "stall", seconds=0.6, after=True)
        renewing = threading.Thread(target=lambda: (renew.renew_now(connection.id), database.close()))
        renewing.start()
        self._until_sending(connection)
        revoke.disconnect(connection, actor=_STAFF)
        renewing.join()
        assert not Credential.objects.filter(pk=connection.id).exists()
        late = CredentialOrphan.objects.filter(connection_id=connection.id, outcome="revoke")
        assert late.count() == 1
        revoke.revoke_orphan(late.get().pk)
        assert [grant["alive"] for grant in local_provider.grants()] == [False]

    def test_a_late_writer_whose_line_is_still_the_stored_one_is_adopted(self, connect, local_provider):
        connection = connect()
        local_provider.set_latency(token=0.6)
        renewing = threading.Thread(target=lambda: (renew.renew_now(connection.id), database.close()))
        renewing.start()
        self._until_sending(connection)
        with database.cursor() as cursor:
            cursor.execute("UPDATE tenants_renewalslot SET fence = fence + 1, intent = '', lease_until = NULL")
        renewing.join()
        assert AuditEvent.objects.filter(connection_id=connection.id, action="credential.adopted").exists()
        assert renew.renew_now(connection.id) is Outcome.RENEWED, "the adopted refresh token works"

    def test_what_a_renewal_concludes_never_undoes_what_a_person_did(self, connect, local_provider):
        connection = connect()
        stale = Connection.objects.get(pk=connection.id)
        revoke.suspend(connection, actor=_STAFF)
        assert not states.move(stale, State.CONNECTED, only_from=states.LIVE)
        connection.refresh_from_db()
        assert connection.state == "suspended"

    @staticmethod
    def _until_sending(connection: Connection) -> None:
        for _ in range(500):
            if slot_of(connection).intent == "sending":
                return
            threading.Event().wait(0.01)
        raise AssertionError("the renewal never started to send")
