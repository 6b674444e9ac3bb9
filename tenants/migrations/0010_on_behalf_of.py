"""For whom a caller reads and acts, and what it is for.

A process of the version before cannot write its sums of reads once this has run: bring in the new ones at once.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0009_metrics_read'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='issuecount',
            name='one_count_an_hour',
        ),
        migrations.AddField(
            model_name='auditevent',
            name='on_behalf_of',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='caller',
            name='purpose',
            field=models.CharField(blank=True, db_default='', default='', help_text='What it reads tokens for, in a few words: tenants find it in their audit export.', max_length=200),
        ),
        migrations.AddField(
            model_name='issuecount',
            name='on_behalf_of',
            field=models.CharField(db_default='', default='', max_length=64),
        ),
        migrations.AddConstraint(
            model_name='issuecount',
            constraint=models.UniqueConstraint(fields=('connection_id', 'caller_id', 'hour', 'key_id', 'source', 'on_behalf_of', 'version', 'minted_id'), name='one_count_an_hour', nulls_distinct=False),
        ),
    ]
