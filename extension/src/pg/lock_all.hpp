// Many locks at once, for a command that changes what all sessions use: nobody fails for it, and nobody waits long.
//
// A session may hold one of the locks and wait for another one, in whatever order its transaction came to them; or just
// hold one for long. So taking all of them has a time limit below deadlock_timeout, after which they are given back,
// and it begins anew a while later. Who waits stands in the queue of the lock, so constant traffic can't keep the
// command out. All of it ends when the user's lock_timeout is over, or when it is cancelled.
//
// An attempt begins with the lock that the one before did not get: its holder may have waited for a lock that we had,
// and would so each time again. As nothing is held then, that wait is longer than deadlock_timeout: after that time
// PostgreSQL cancels an autovacuum worker that has the lock, and so does the process that packs the tables give way.
#pragma once

#include "pg/sub_transaction.hpp"

namespace pgpubsub {

struct relation_lock {
    Oid relation;
    LOCKMODE mode;
};

// The time within which one attempt is to have all locks.
class lock_attempt {
public:
    // It first takes *last, if that is one, and has its time from then on.
    static lock_attempt begin(relation_lock* last);
    void lock(Oid relation, LOCKMODE mode) const;
    // What else is waited for next has what is left of the time.
    void limit_next_wait() const;

private:
    TimestampTz deadline_;
    relation_lock* last_;
};

class lock_attempts {
public:
    static lock_attempts begin();
    lock_attempt next() { return lock_attempt::begin(&last_); }
    // Errors: lock_not_available (55P03) when the user's lock_timeout is over.
    void pause();

private:
    TimestampTz began_at_;
    int pause_ms_;
    relation_lock last_;
};

// An attempt has ended, with or without an ERROR: lock_timeout is the user's again.
void put_lock_timeout_back();
bool is_lock_failure(const ErrorData& error);

// Calls take(attempt) until it comes to its end. Each wait in it is one of attempt.lock(), or follows
// attempt.limit_next_wait().
template <typename Take>
void take_all_locks(Take take) {
    lock_attempts attempts = lock_attempts::begin();
    for (;;) {
        const bool taken = in_sub_transaction(
            [&] {
                take(attempts.next());
                return true;
            },
            is_lock_failure);
        put_lock_timeout_back();
        if (taken)
            return;
        attempts.pause();
    }
}

}  // namespace pgpubsub
