// The owner of a lease: the session that claimed the notification, or was the last one to extend its lease.
//
// A lease also ends when its owner is gone. An owner is written as one number: the process id and a hash of the time at
// which the process started, so that nobody who gets the same process id later, or after a restart of the server, is
// taken for it. (One in four billion would be; then the lease ends by its time.)
#pragma once

#include "channel/table_columns.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// Writes into the row that this session is the lease's owner; that it has none where pgpubsub.lease_scope is 'time'.
void set_lease_owner(row_values* row);

// Whether the lease of a row has no owner who could be gone.
inline bool has_owner(const row_values& row) {
    return !row.is_null(column::lease_token) && !row.is_null(column::lease_owner);
}

// The sessions of the server as they are when they are read.
class living_sessions {
public:
    // What is to be compared with them must have been read before: then an owner that is not among them is gone, and
    // can't be one that has only just come. In the current memory context.
    static living_sessions read();
    bool has(int64 owner) const;

private:
    int64* owners_;
    int count_;
};
static_assert(survives_longjmp<living_sessions>);

// The process id in an owner.
int32 process_id_of(int64 owner);

// Whether this session is the owner of the row's lease.
bool is_own_lease(const row_values& row);

// Tells that this transaction got a lease of that notification, with set_lease_owner(); that it ended one of this
// session's.
void count_lease(int64 id);
void count_end_of_lease();

// Registers what happens at the end of transactions. Called once, when the library is loaded.
void watch_leases();

}  // namespace pgpubsub
