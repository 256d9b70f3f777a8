-- The rights to publish to a channel and to consume from it.

CREATE FUNCTION pgpubsub.grant_channel(channel text, role regrole, privilege text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_grant_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.grant_channel(text, regrole, text) IS
    'lets a role publish to a channel or consume from it (privilege: publish or consume)';

CREATE FUNCTION pgpubsub.revoke_channel(channel text, role regrole, privilege text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_revoke_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.revoke_channel(text, regrole, text) IS
    'takes back what grant_channel gave';

CREATE FUNCTION pgpubsub.grant_usage(role regrole, own_channels boolean DEFAULT false) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_grant_usage' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.grant_usage(regrole, boolean) IS
    'lets a role call what publishes and consumes, and read the views, for the channels that it has rights on; own_channels: also what makes and administers channels of its own';

CREATE FUNCTION pgpubsub.revoke_usage(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_revoke_usage' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.revoke_usage(regrole) IS
    'takes back what grant_usage gave, and what went with rights on channels; the rights stay';

CREATE FUNCTION pgpubsub.complete_usage() RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_complete_usage' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.complete_usage() IS
    'private: gives the roles that may call some of what grant_usage gives the functions that an update has brought';

CREATE FUNCTION pgpubsub.has_channel_privilege(channel text, privilege text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_has_channel_privilege' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION pgpubsub.has_channel_privilege(text, text) IS
    'whether the current user may publish to or consume from a channel (privilege: publish or consume)';

CREATE VIEW pgpubsub.channel_privileges WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name AS channel, p.grantee AS role, p.privilege
          FROM pgpubsub.channel c
          JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;
COMMENT ON VIEW pgpubsub.channel_privileges IS 'who owns, publishes to and consumes from the channels that the current user may use';
