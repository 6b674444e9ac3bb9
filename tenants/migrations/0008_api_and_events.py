"""Callers by workload identity, budgets, events with a place, webhooks, an audit log that closes its days."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_renewal_engine'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditDay',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('events', models.BigIntegerField()),
                ('reads', models.BigIntegerField()),
                ('previous', models.BinaryField()),
                ('events_digest', models.BinaryField()),
                ('reads_digest', models.BinaryField()),
                ('digest', models.BinaryField()),
                ('key_version', models.CharField(max_length=32)),
                ('sealed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='CallerMinute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('caller_id', models.UUIDField()),
                ('minute', models.DateTimeField()),
                ('process', models.UUIDField()),
                ('used', models.BigIntegerField()),
            ],
        ),
        migrations.AddConstraint(
            model_name='callerminute',
            constraint=models.UniqueConstraint(fields=('caller_id', 'minute', 'process'), name='one_count_a_minute'),
        ),
        migrations.RunSQL("ALTER TABLE tenants_callerminute SET UNLOGGED", migrations.RunSQL.noop),
        migrations.CreateModel(
            name='IdempotentRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=255)),
                ('fingerprint', models.BinaryField()),
                ('status', models.SmallIntegerField(null=True)),
                ('sealed', models.BinaryField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='TrustedIssuer',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.SlugField(max_length=64, unique=True)),
                ('issuer', models.CharField(help_text='The `iss` of its tokens, letter by letter.', max_length=300, unique=True)),
                ('audience', models.CharField(help_text="What `aud` must hold: this broker's name at the issuer.", max_length=300)),
                ('algorithms', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), help_text='Signature algorithms that are accepted.', size=None)),
                ('jwks_uri', models.CharField(blank=True, max_length=500)),
                ('jwks', models.JSONField(blank=True, help_text='Pinned public keys (RFC 7517), instead of an address.', null=True)),
                ('max_life_seconds', models.PositiveIntegerField(default=3600, help_text='Tokens that live longer than this are refused.')),
                ('active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True)),
                ('order_key', models.UUIDField()),
                ('state', models.CharField(choices=[('waiting', 'waits for its turn, or for the next try'), ('delivered', 'accepted'), ('given_up', 'not accepted within three days'), ('dropped', 'the endpoint was disabled or deleted')], default='waiting', max_length=10)),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('leased_until', models.DateTimeField(null=True)),
                ('attempts', models.IntegerField(default=0)),
                ('tries', models.JSONField(default=list)),
                ('replayed', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
            },
        ),
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('url', models.CharField(max_length=500)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, size=None)),
                ('sealed_secrets', models.BinaryField()),
                ('previous_secrets_end_at', models.DateTimeField(blank=True, null=True)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('paused_until', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
                ('disabled_because', models.CharField(blank=True, choices=[('', ''), ('caller', 'its caller disabled it'), ('gone', 'it answered 410'), ('failing', 'nothing was accepted for days'), ('staff', 'staff disabled it')], default='', max_length=10)),
            ],
            options={
                'ordering': ['-created_at', 'id'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='issuecount',
            name='one_count_an_hour',
        ),
        migrations.RenameField(
            model_name='issuecount',
            old_name='last_version',
            new_name='version',
        ),
        migrations.AddField(
            model_name='apikey',
            name='networks',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='apikey',
            name='subject',
            field=models.CharField(blank=True, db_default='', default='', max_length=300),
        ),
        migrations.AddField(
            model_name='apikey',
            name='throttled_until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='source',
            field=models.CharField(blank=True, db_default='', default='', max_length=45),
        ),
        migrations.AddField(
            model_name='caller',
            name='connections_per_hour',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='How many different connections one key may read in an hour. 0: ten times what is usual for it.'),
        ),
        migrations.AddField(
            model_name='caller',
            name='rate_per_minute',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="Requests a minute, over all web processes. 0: the setting's default."),
        ),
        migrations.AddField(
            model_name='issuecount',
            name='minted_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='issuecount',
            name='fingerprint',
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name='issuecount',
            name='first_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name='issuecount',
            name='key_id',
            field=models.CharField(db_default='', default='', max_length=40),
        ),
        migrations.AddField(
            model_name='issuecount',
            name='source',
            field=models.CharField(db_default='', default='', max_length=45),
        ),
        migrations.AddField(
            model_name='outboxevent',
            name='position',
            field=models.BigIntegerField(null=True, unique=True),
        ),
        migrations.AddField(
            model_name='outboxevent',
            name='uid',
            field=models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True),
        ),
        migrations.AlterField(
            model_name='apikey',
            name='key_id',
            field=models.CharField(max_length=40, unique=True),
        ),
        migrations.AlterField(
            model_name='caller',
            name='operations',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('token.read', 'read access tokens and report failures'), ('connection.read', 'see connections'), ('connect.create', 'make connect links'), ('connection.manage', 'disconnect'), ('event.read', 'read events'), ('webhook.manage', 'manage webhook endpoints of its own')], max_length=32), default=list, size=None),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['tenant', 'created_at', 'id'], name='connection_tenant_pages'),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['provider_id', 'created_at', 'id'], name='connection_provider_pages'),
        ),
        migrations.AddIndex(
            model_name='tenant',
            index=models.Index(condition=models.Q(('deleted_at', None), _negated=True), fields=['id'], name='tenant_ending'),
        ),
        migrations.RemoveIndex(
            model_name='connection',
            name='connection_by_provider',
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['tenant', 'provider_id', 'created_at', 'id'], name='connection_by_provider'),
        ),
        migrations.RemoveIndex(
            model_name='connection',
            name='connection_in_trouble',
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(condition=models.Q(('state', 'connected'), _negated=True), fields=['state', 'created_at', 'id'], name='connection_in_trouble'),
        ),
        migrations.AddIndex(
            model_name='issuecount',
            index=models.Index(fields=['key_id', 'hour'], name='reads_by_key'),
        ),
        migrations.AddIndex(
            model_name='issuecount',
            index=models.Index(fields=['tenant_id', 'hour'], name='reads_of_tenant'),
        ),
        migrations.AddIndex(
            model_name='issuecount',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['hour'], name='reads_by_hour'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['at'], name='audit_by_time'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('action', 'audit.reads_purged')), fields=['id'], name='audit_of_purges'),
        ),
        migrations.AlterModelOptions(
            name='auditevent',
            options={'permissions': [('export_audit', "Can export a tenant's audit log")]},
        ),
        migrations.AlterField(
            model_name='outboxevent',
            name='connection_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name='outboxevent',
            name='tenant_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=models.Index(condition=models.Q(('position', None)), fields=['id'], name='event_to_publish'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=models.Index(fields=['tenant_id', 'position'], name='event_of_tenant'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=models.Index(fields=['connection_id', 'position'], name='event_of_connection'),
        ),
        migrations.AddConstraint(
            model_name='issuecount',
            constraint=models.UniqueConstraint(fields=('connection_id', 'caller_id', 'hour', 'key_id', 'source', 'version', 'minted_id'), name='one_count_an_hour', nulls_distinct=False),
        ),
        migrations.AddField(
            model_name='idempotentrequest',
            name='caller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.caller'),
        ),
        migrations.AddField(
            model_name='idempotentrequest',
            name='data_key',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.datakey'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='issuer',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='subjects', to='tenants.trustedissuer'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='event',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='tenants.outboxevent'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='caller',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhook_endpoints', to='tenants.caller'),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='data_key',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.datakey'),
        ),
        migrations.AddField(
            model_name='webhookdelivery',
            name='endpoint',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='tenants.webhookendpoint'),
        ),
        migrations.AddIndex(
            model_name='idempotentrequest',
            index=models.Index(fields=['created_at'], name='idempotent_by_age'),
        ),
        migrations.AddConstraint(
            model_name='idempotentrequest',
            constraint=models.UniqueConstraint(fields=('caller', 'key'), name='one_answer_a_key'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['endpoint', 'due_at'], name='delivery_due'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['endpoint', 'order_key', 'id'], name='delivery_order'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['endpoint', '-id'], name='delivery_of_endpoint'),
        ),
        migrations.RunSQL(
            """
            CREATE TRIGGER audit_day_is_append_only BEFORE UPDATE OR DELETE ON tenants_auditday
            FOR EACH ROW EXECUTE FUNCTION tenants_refuse_change();
            """,
            """
            DROP TRIGGER audit_day_is_append_only ON tenants_auditday;
            """,
        ),
    ]
