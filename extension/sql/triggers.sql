-- The triggers on the tables and on DROP OWNED, and the changes that logical decoding skips.

CREATE FUNCTION pgpubsub.channels_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_channels_changed' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.channels_changed() IS 'private: tells all sessions to forget what they remember of the channels';
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.channel
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.subscription
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.channel_privilege
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
-- The triggers also fire with session_replication_role = replica, which a restore may set.
ALTER TABLE pgpubsub.channel           ENABLE ALWAYS TRIGGER channels_changed;
ALTER TABLE pgpubsub.subscription      ENABLE ALWAYS TRIGGER channels_changed;
ALTER TABLE pgpubsub.channel_privilege ENABLE ALWAYS TRIGGER channels_changed;

-- No value has this type. Roles with rights on channels depend on it, so that they can't be dropped unnoticed
-- (role_rights.hpp). USAGE for PUBLIC gives no right to anything, and lets a role that is not the extension's owner run
-- DROP OWNED.
CREATE TYPE pgpubsub.channel_rights AS ENUM ();
COMMENT ON TYPE pgpubsub.channel_rights IS 'private: stands for the rights of roles on channels where PostgreSQL notes what depends on a role';
GRANT USAGE ON TYPE pgpubsub.channel_rights TO PUBLIC;

CREATE FUNCTION pgpubsub.after_drop_owned() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_after_drop_owned' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.after_drop_owned() IS 'private: takes the rights on channels from the roles of DROP OWNED';
CREATE EVENT TRIGGER pgpubsub_drop_owned ON ddl_command_end WHEN TAG IN ('DROP OWNED')
    EXECUTE FUNCTION pgpubsub.after_drop_owned();
COMMENT ON EVENT TRIGGER pgpubsub_drop_owned IS 'DROP OWNED takes the rights on channels too';
ALTER EVENT TRIGGER pgpubsub_drop_owned ENABLE ALWAYS;

-- A subscription of logical replication, such as to a publication FOR ALL TABLES, copies rows from another server's
-- tables. These rows must not come into the tables here: ids mean other channels there. Only an apply worker's rows are
-- skipped, not those that a restore writes.
CREATE FUNCTION pgpubsub.skip_replicated() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_skip_replicated' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.skip_replicated() IS 'private: keeps the rows of other servers, which logical replication brings, out of the private tables';
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.channel
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.subscription
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.channel_privilege
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.notification
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.dead_letter
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.processed
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.broadcast
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.stat_count
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
ALTER TABLE pgpubsub.channel           ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.subscription      ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.channel_privilege ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.notification      ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.dead_letter       ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.processed         ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.broadcast         ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.stat_count        ENABLE REPLICA TRIGGER skip_replicated;

-- Claims remember where nothing is left to claim. Rows that are written by hand, or by a restore, may be anywhere.
CREATE FUNCTION pgpubsub.notifications_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_notifications_changed' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.notifications_changed() IS 'private: tells claims to forget where they have found nothing';
CREATE TRIGGER notifications_changed AFTER INSERT OR UPDATE ON pgpubsub.notification
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.notifications_changed();
ALTER TABLE pgpubsub.notification      ENABLE ALWAYS TRIGGER notifications_changed;

-- Logical decoding skips the changes of the notifications here: see replication.hpp in extension/src.
CREATE FUNCTION pgpubsub.hide_from_decoding() RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_hide_from_decoding' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.hide_from_decoding() IS
    'private: makes logical decoding skip the changes of the stored notifications; to be called after pg_upgrade where no worker does it';
