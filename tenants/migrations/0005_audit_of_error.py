"""Audit events are found by the provider's reference for an error."""

from django.db import migrations, models
from django.db.models.fields.json import KeyTransform


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_ways_to_connect")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                KeyTransform("error_id", "detail"),
                name="audit_of_error",
                condition=models.Q(detail__has_key="error_id"),
            ),
        ),
    ]
