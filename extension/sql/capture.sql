-- Capturing the changes of tables.

CREATE FUNCTION pgpubsub.capture() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_capture' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.capture() IS
    'trigger function (AFTER): turns each row change into a notification on the channel that its first argument names';

CREATE FUNCTION pgpubsub.capture_filter(condition boolean DEFAULT NULL, columns record DEFAULT NULL, payload record DEFAULT NULL,
                                        key record DEFAULT NULL) RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_capture_filter' LANGUAGE C IMMUTABLE;
COMMENT ON FUNCTION pgpubsub.capture_filter(boolean, record, record, record) IS
    'private: holds the filter of a capture in the WHEN of a trigger that never fires; it is never called';

-- attach() and detach() pin no search_path: the condition is read with the caller's search_path, as the condition of a
-- trigger would be.
CREATE FUNCTION pgpubsub.attach(
        relation regclass, channel text, events text[] DEFAULT NULL, columns text[] DEFAULT NULL, condition text DEFAULT NULL,
        granularity text DEFAULT NULL, payload text DEFAULT NULL, payload_columns text[] DEFAULT NULL,
        key_columns text[] DEFAULT NULL, always boolean DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_attach' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean) IS
    'captures the changes of a table into a channel, which is made if it does not exist, or changes how it captures them; the caller owns the table';

CREATE FUNCTION pgpubsub.detach(relation regclass, channel text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_detach' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.detach(regclass, text) IS
    'ends the capture of a table into a channel; what is stored stays';

CREATE FUNCTION pgpubsub.attachment_list()
    RETURNS TABLE ("table" regclass, channel text, events text[], granularity text, payload text, columns name[],
                   condition text, payload_columns name[], key_columns name[], always boolean, enabled boolean, filter_lost boolean, triggers name[])
    AS 'MODULE_PATHNAME', 'pgpubsub_attachment_list' LANGUAGE C STABLE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.attachment_list() IS
    'private: how the tables of the database are captured, by their triggers; see the view pgpubsub.attachments';

-- A table's owner sees its attachments even while its channel does not exist yet.
CREATE VIEW pgpubsub.attachments WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT a."table", a.channel, a.events, a.granularity, a.payload, a.columns, a.condition, a.payload_columns, a.key_columns,
               a.always, a.enabled, a.filter_lost, a.triggers,
               NOT EXISTS (SELECT FROM pgpubsub.channel c WHERE c.name = a.channel)
               OR EXISTS (SELECT FROM pgpubsub.channel c
                            JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id AND p.privilege IN ('owner', 'publish')
                           WHERE c.name = a.channel AND pg_catalog.pg_has_role(t.relowner, p.grantee, 'USAGE'))
               OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = t.relowner AND r.rolsuper) AS can_publish
          FROM pgpubsub.attachment_list() a
          JOIN pg_catalog.pg_class t ON t.oid = a."table"
         WHERE pg_catalog.pg_has_role(t.relowner, 'USAGE')
            OR pgpubsub.has_channel_privilege(a.channel, 'publish')
            OR pgpubsub.has_channel_privilege(a.channel, 'consume')
    )
    SELECT * FROM shown;
COMMENT ON VIEW pgpubsub.attachments IS
    'which changes of which tables are captured into the channels that the current user may use, and of the tables that the user owns';
