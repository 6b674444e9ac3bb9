"""A connection's timeline is found without what was signed for it, which may be thousands a day."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_audit_of_error")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["connection_id", "-id"], name="audit_of_timeline", condition=~Q(action="request.signed")
            ),
        ),
    ]
