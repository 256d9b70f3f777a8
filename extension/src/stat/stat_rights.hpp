// The role whose rights decide which numbers the views stat_channels and stat_consumers show.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns the role of the session; if it has pg_read_all_stats, which pg_monitor has, returns a superuser, who sees all
// channels.
inline Oid role_for_statistics() {
    const Oid role = GetUserId();
    return has_privs_of_role(role, ROLE_PG_READ_ALL_STATS) ? Oid{BOOTSTRAP_SUPERUSERID} : role;
}

}  // namespace pgpubsub
