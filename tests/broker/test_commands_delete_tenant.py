"""manage.py delete_tenant: what it ends, what it says is left, and that it asks."""

from datetime import timedelta

from django.db.models.functions import Now

from broker.services import revoke
from tenants.models import Connection, Tenant


def test_ends_every_connection_and_says_what_is_left(manage, connect):
    connect()
    done = manage("delete_tenant", "aalto", "--yes", "--json").json
    assert done == {"slug": "aalto", "connections_ended": 1, "revocations_waiting": 1, "deleted": False}
    for orphan_id in revoke.due_revocations(limit=5):
        revoke.revoke_orphan(orphan_id)
    Tenant.objects.filter(slug="aalto").update(deleted_at=Now() - timedelta(hours=1))
    Connection.objects.update(state_changed_at=Now() - timedelta(hours=1))
    again = manage("delete_tenant", "aalto", "--yes", "--json").json
    assert again == {"slug": "aalto", "connections_ended": 0, "revocations_waiting": 0, "deleted": True}
    assert "no tenant has the slug" in manage("delete_tenant", "aalto", "--yes", "--json").sentence


def test_asks_for_the_slug_once_more(manage, connect):
    connection = connect()
    for typed in ("birch\n", "", "\n"):
        refused = manage("delete_tenant", "aalto", stdin=typed)
        assert (refused.code, refused.out) == (1, "")
        assert "Aalto Oy has 1 connections." in refused.err
        assert "nothing was done" in refused.err
    connection.refresh_from_db()
    assert (connection.state, Tenant.objects.get(slug="aalto").deleted_at) == ("connected", None)
    assert manage("delete_tenant", "aalto", "--json", stdin=" aalto \n").json["connections_ended"] == 1
