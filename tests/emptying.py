"""Empty the database after a test whose transactions were real: only what it has filled.

Django's own way truncates every table and makes permissions anew, which takes longer than most of these tests.
"""

from functools import cache

from django.db import connection, transaction

# As migrations have left them: nobody changes these in a test.
_LASTING = ("django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions")


def empty() -> None:
    """Delete all rows but those that migrating makes. Effects: triggers and foreign keys are not asked."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_filled())
        names = [row[0] for row in cursor.fetchall()]
        if names:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("; ".join(f"DELETE FROM {name}" for name in names))


@cache
def _filled() -> str:
    """The query for the names of the tables that hold anything."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I', tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)",
            [list(_LASTING)],
        )
        names = [row[0] for row in cursor.fetchall()]
    return " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)
