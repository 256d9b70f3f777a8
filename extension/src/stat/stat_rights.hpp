// Whose numbers the views stat_channels and stat_consumers show.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// The role whose rights decide: that of the session; with pg_read_all_stats, which pg_monitor has, a superuser's, that
// is all channels.
inline Oid role_for_statistics() {
    const Oid role = GetUserId();
    return has_privs_of_role(role, ROLE_PG_READ_ALL_STATS) ? Oid{BOOTSTRAP_SUPERUSERID} : role;
}

}  // namespace pgpubsub
