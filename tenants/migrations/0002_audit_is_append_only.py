"""The database itself refuses to change or delete an audit event, whoever asks."""

from django.db import migrations

GUARD = """
CREATE FUNCTION tenants_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit events are append only'; END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON tenants_auditevent
FOR EACH ROW EXECUTE FUNCTION tenants_refuse_change();
"""
UNDO = """
DROP TRIGGER audit_is_append_only ON tenants_auditevent;
DROP FUNCTION tenants_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, UNDO)]
