// The owner of a lease: the session that claimed the notification, or the last session that extended its lease.
//
// A lease also ends when its owner is gone. An owner is one number: the process id, and a hash of the start time of the
// process. So a later process with the same process id, also after a restart of the server, is not mistaken for the
// owner. (The chance of a mistake is one in four billion; then the lease ends by its time.)
#pragma once

#include "channel/table_columns.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// Writes this session into the row as the owner of the lease; or no owner if pgpubsub.lease_scope is 'time'.
void set_lease_owner(row_values* row);

// Returns whether the lease of a row has an owner, which could be gone.
inline bool has_owner(const row_values& row) {
    return !row.is_null(column::lease_token) && !row.is_null(column::lease_owner);
}

// The sessions of the server at the time of reading.
class living_sessions {
public:
    // Reads the sessions, into the current memory context. The owners to compare with them must have been read before:
    // then an owner that is not among them is gone, and can't be a session that has only just started.
    static living_sessions read();
    bool has(int64 owner) const;

private:
    int64* owners_;
    int count_;
};
static_assert(survives_longjmp<living_sessions>);

// Returns the process id in an owner.
int32 process_id_of(int64 owner);

// Returns whether this session is the owner of the row's lease.
bool is_own_lease(const row_values& row);

// count_lease() reports that this transaction got a lease of that notification with set_lease_owner();
// count_end_of_lease() that it ended a lease of this session.
void count_lease(int64 id);
void count_end_of_lease();

// Registers the callbacks for the end of transactions. Called once, when the library is loaded.
void watch_leases();

}  // namespace pgpubsub
