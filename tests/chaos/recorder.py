"""What the harness adds to its own database: every credential version, state, sent intent and orphan, kept by triggers.

The time of each is the moment of its commit, which the server remembers (track_commit_timestamp): what was rolled back
never was.
"""

TABLES = """
CREATE TABLE chaos_version (n bigserial, tenant_id uuid, connection_id uuid, version bigint, sealed bytea, key_id uuid);
CREATE TABLE chaos_state (n bigserial, connection_id uuid, state text, reason text);
CREATE TABLE chaos_sending (n bigserial, connection_id uuid, fence bigint, owner text, due_at timestamptz);
CREATE TABLE chaos_orphan (n bigserial, tenant_id uuid, connection_id uuid, fence bigint, sealed bytea, key_id uuid);

CREATE TABLE chaos_last (connection_id uuid, version bigint);

CREATE FUNCTION chaos_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_version (tenant_id, connection_id, version, sealed, key_id)
    SELECT tenant_id, NEW.connection_id, NEW.version, NEW.sealed, NEW.data_key_id
    FROM tenants_connection WHERE id = NEW.connection_id;
    RETURN NULL; END $$;
CREATE FUNCTION chaos_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_state (connection_id, state, reason) VALUES (NEW.id, NEW.state, NEW.reason);
    RETURN NULL; END $$;
CREATE FUNCTION chaos_sending() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_sending (connection_id, fence, owner, due_at)
    VALUES (NEW.connection_id, NEW.fence, NEW.lease_owner, OLD.due_at);
    RETURN NULL; END $$;
CREATE FUNCTION chaos_orphan() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_orphan (tenant_id, connection_id, fence, sealed, key_id)
    VALUES (NEW.tenant_id, NEW.connection_id, NEW.fence, NEW.sealed, NEW.data_key_id);
    RETURN NULL; END $$;

CREATE TRIGGER chaos_version AFTER INSERT OR UPDATE OF sealed ON tenants_credential
    FOR EACH ROW EXECUTE FUNCTION chaos_version();
CREATE TRIGGER chaos_state AFTER UPDATE OF state, reason ON tenants_connection FOR EACH ROW
    WHEN ((OLD.state, OLD.reason) IS DISTINCT FROM (NEW.state, NEW.reason)) EXECUTE FUNCTION chaos_state();
CREATE TRIGGER chaos_sending AFTER UPDATE OF intent ON tenants_renewalslot FOR EACH ROW
    WHEN (NEW.intent = 'sending' AND OLD.intent <> 'sending') EXECUTE FUNCTION chaos_sending();
CREATE TRIGGER chaos_orphan AFTER INSERT ON tenants_credentialorphan
    FOR EACH ROW EXECUTE FUNCTION chaos_orphan();
"""
# A commit that fails as a real one does: at its very end, when all statements have succeeded. The dice are thrown once
# a transaction, however many rows it has. The sequence counts the failures, for it does not roll back. The classes of
# error are those of a server that stops, is overloaded, or whose disk fails.
FAILING_COMMITS = """
CREATE TABLE chaos_dice (probability float8);
INSERT INTO chaos_dice VALUES (0);
CREATE SEQUENCE chaos_failed_commits MINVALUE 0 START 0;
SELECT nextval('chaos_failed_commits');
CREATE FUNCTION chaos_fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF coalesce(nullif(current_setting('chaos.thrown', true), ''), set_config('chaos.thrown', random()::text, true))
        ::float8 < (SELECT probability FROM chaos_dice) THEN
        RAISE EXCEPTION 'the commit fails' USING ERRCODE =
            (ARRAY['57P01', '53300', '58030', '40001'])[1 + nextval('chaos_failed_commits') % 4];
    END IF;
    RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER chaos_fail AFTER UPDATE ON tenants_credential DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION chaos_fail();
"""
_AT = "extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8"
VERSIONS = f"SELECT tenant_id, connection_id, version, sealed, key_id, {_AT} FROM chaos_version ORDER BY n"
STATES = f"SELECT connection_id::text, state, reason, {_AT} FROM chaos_state ORDER BY n"
SENDINGS = f"""SELECT connection_id::text, fence, owner, {_AT}, extract(epoch FROM due_at)::float8
    FROM chaos_sending ORDER BY n"""
ORPHANS = f"SELECT tenant_id, connection_id, fence, sealed, key_id, {_AT} FROM chaos_orphan ORDER BY n"
# In use, and neither due at some time nor held by somebody for a little longer: nobody would ever come back to it.
FORGOTTEN = """
SELECT c.id::text FROM tenants_connection c JOIN tenants_credential k ON k.connection_id = c.id
LEFT JOIN tenants_renewalslot s ON s.connection_id = c.id
WHERE c.state IN ('connected', 'degraded')
  AND (s.state IS DISTINCT FROM 'scheduled' OR s.due_at IS NULL OR s.lease_until > now() + interval '1 hour')
"""
FAILED_COMMITS = "SELECT last_value FROM chaos_failed_commits"
