"""What the renewal engine needs: fair claims, gates of registrations, parked accounts, ends to come, tenants that go."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_audit_without_signed'),
    ]

    operations = [
        migrations.CreateModel(
            name='ExpiryNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_id', models.UUIDField()),
                ('kind', models.CharField(choices=[('idle', 'the refresh token ends unless it is used'), ('absolute', 'the authorization reaches the longest life that the provider allows'), ('access_token', 'the access token ends and cannot be renewed'), ('client_secret', 'the client secret ends')], max_length=20)),
                ('tenant_id', models.UUIDField(null=True)),
                ('provider_id', models.CharField(max_length=64)),
                ('ends_at', models.DateTimeField()),
                ('ends_on', models.DateField()),
                ('days', models.SmallIntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={'verbose_name': 'end to come', 'verbose_name_plural': 'ends to come'},
        ),
        migrations.CreateModel(
            name='RegistrationGate',
            fields=[
                ('registration', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='gate', serialize=False, to='tenants.clientregistration')),
                ('state', models.CharField(choices=[('closed', 'Closed'), ('open', 'Open'), ('half_open', 'Half Open')], default='closed', max_length=10)),
                ('cause', models.CharField(blank=True, choices=[('', ''), ('outage', 'the provider fails'), ('incident', 'the provider refuses our registration'), ('doubts', 'the provider refuses unusually many customers at once'), ('canary', 'a new client secret is being tried'), ('throttled', 'the provider asks us to wait')], default='', max_length=10)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('open_until', models.DateTimeField(null=True)),
                ('openings', models.IntegerField(default=0)),
                ('probes', models.IntegerField(default=0)),
                ('step', models.IntegerField(default=0)),
                ('doubts', models.FloatField(default=20.0)),
                ('doubts_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('bucket', models.FloatField(null=True)),
                ('bucket_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('window_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('window_sent', models.IntegerField(default=0)),
                ('window_failed', models.IntegerField(default=0)),
                ('preferred_secret', models.SmallIntegerField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name='clientregistration',
            name='secret_expires_at',
            field=models.DateTimeField(blank=True, help_text='When the provider ends the newest client secret; empty when it does not.', null=True),
        ),
        migrations.AddField(
            model_name='credential',
            name='grant_issued_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name='credentialorphan',
            name='account',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='credentialorphan',
            name='expires_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='renewalslot',
            name='registration_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='renewalslot',
            name='tenant_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='deleted_at',
            field=models.DateTimeField(blank=True, editable=False, help_text='Since then it is being taken down: nothing is served any more.', null=True),
        ),
        migrations.AlterField(
            model_name='credentialorphan',
            name='outcome',
            field=models.CharField(choices=[('held', 'held for staff to look at'), ('parked', 'of another account: waits for staff to take it or turn it away'), ('revoke', 'to be revoked at the provider'), ('revoked', 'revoked at the provider'), ('given_up', 'the provider could not be told within seven days'), ('superseded', 'let go: tokens of another line have been renewed since')], default='held', max_length=10),
        ),
        migrations.RunSQL(
            """
            UPDATE tenants_renewalslot s SET tenant_id = c.tenant_id, registration_id = c.registration_id,
                lease_owner = CASE WHEN s.lease_until > now() THEN s.lease_owner ELSE '' END
            FROM tenants_connection c WHERE c.id = s.connection_id;
            UPDATE tenants_credential k SET grant_issued_at = coalesce(c.connected_at, k.issued_at)
            FROM tenants_connection c WHERE c.id = k.connection_id;
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(model_name='renewalslot', name='tenant_id', field=models.UUIDField()),
        migrations.AlterField(model_name='renewalslot', name='registration_id', field=models.UUIDField()),
        # Each renewal rewrites its row a few times: room on the page keeps those updates in place, and an early vacuum
        # keeps the due index short.
        migrations.RunSQL(
            """
            ALTER TABLE tenants_renewalslot SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.01,
                autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05);
            """,
            "ALTER TABLE tenants_renewalslot RESET (fillfactor, autovacuum_vacuum_scale_factor, "
            "autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor);",
        ),
        migrations.AddIndex(
            model_name='renewalslot',
            index=models.Index(condition=models.Q(('state', 'scheduled')), fields=['registration_id', 'tenant_id', 'due_at'], name='slot_lanes'),
        ),
        migrations.AddIndex(
            model_name='renewalslot',
            index=models.Index(condition=models.Q(('lease_owner', ''), _negated=True), fields=['lease_owner'], name='slot_leases'),
        ),
        migrations.AddIndex(
            model_name='credential',
            index=models.Index(fields=['grant_issued_at'], name='credential_grants'),
        ),
        migrations.AddIndex(
            model_name='expirynotice',
            index=models.Index(fields=['ends_at'], name='notice_by_end'),
        ),
        migrations.AlterField(
            model_name='outboxevent',
            name='tenant_id',
            field=models.UUIDField(db_index=True, null=True),
        ),
        migrations.AddConstraint(
            model_name='expirynotice',
            constraint=models.UniqueConstraint(fields=('subject_id', 'kind', 'ends_on', 'days'), name='one_notice_a_threshold'),
        ),
    ]
