"""The group of support staff, with exactly its rights: to look, and the four actions on a connection."""

from django.apps import apps as live_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "support"
CODENAMES = (
    "view_auditevent",
    "view_caller",
    "view_clientregistration",
    "view_connection",
    "view_connectsession",
    "view_tenant",
    "renew_connection",
    "repair_connection",
    "disconnect_connection",
    "suspend_connection",
)


def create_group(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Django itself makes permissions only after the last migration; asked for here, they are there in time.
    create_permissions(live_apps.get_app_config("tenants"), verbosity=0, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="tenants", codename__in=CODENAMES
    )
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    group.permissions.set(permissions)


def remove_group(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_audit_is_append_only"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(create_group, remove_group)]
