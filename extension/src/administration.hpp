// What the functions that change channels, subscriptions and rights have in common.
//
// Guarantee: only who may create (by a grant on create_channel) or who owns the channel gets past the guards. What then runs
// as SQL runs as the extension's owner, with names that are fully qualified or by the search_path that the function pins.
#pragma once

#include "arguments.hpp"
#include "catalog.hpp"
#include "channel.hpp"

namespace pgpubsub {

// Runs f as the owner of the extension's tables, connected to SPI. After an ERROR the transaction's abort puts the
// user back.
template <typename F>
inline void as_extension_owner(F f) {
    const Relation table = table_open(our_catalog().channel, AccessShareLock);
    const Oid owner = table->rd_rel->relowner;
    table_close(table, AccessShareLock);
    Oid caller;
    int context;
    GetUserIdAndSecContext(&caller, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    SPI_connect();
    f();
    SPI_finish();
    SetUserIdAndSecContext(caller, context);
}

inline void run(const char* command) {
    if (SPI_execute(command, false, 0) < 0)
        elog(ERROR, "could not run \"%s\"", command);
}

// Waits for whoever else changes channels or rights in this way: two GRANTs at the same time would fail one of them.
inline void lock_administration() {
    LockDatabaseObject(our_catalog().channel_privilege, InvalidOid, 0, ShareUpdateExclusiveLock);
}

// The channel, which the caller owns, under that lock.
// Errors: undefined_object (42704), insufficient_privilege (42501).
inline channel owned_channel(std::string_view name) {
    lock_administration();
    const channel c = get_channel(name);
    check_privilege(c, GetUserId(), privilege::owner);
    return c;
}

// Lets a role call what it needs for its right on a channel, and see the views; connected to SPI, as the extension's owner.
void grant_usage(const char* quoted_role, privilege what);

}  // namespace pgpubsub
