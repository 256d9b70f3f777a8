// Takes many locks at once, for a command that changes what all sessions use.
//
// Guarantee: no session fails because of it, and no session waits long.
//
// A session may hold one of the locks and wait for another, in the order in which its transaction came to them. Or it
// may just hold one for long. So:
// 1. An attempt to take all locks has a time limit below deadlock_timeout.
// 2. When the time is over, the attempt gives its locks back. The next attempt begins a while later.
// 3. While the command waits, it stands in the queue of the lock, so constant traffic can't keep it out.
// 4. All attempts end when the user's lock_timeout is over, or when the command is cancelled.
//
// An attempt begins with the lock that the attempt before did not get. The holder of that lock may have waited for a
// lock that we had, and would do so each time again. As nothing is held yet, the limit of this first wait is longer
// than deadlock_timeout. After that time, PostgreSQL cancels an autovacuum worker that has the lock, and a storage
// process gives way, too.
#pragma once

#include "pg/sub_transaction.hpp"

namespace pgpubsub {

struct relation_lock {
    Oid relation;
    LOCKMODE mode;
};

// One attempt, and the time within which it must get all locks.
class lock_attempt {
public:
    // First takes *last, if that is a lock. The attempt's time begins after that.
    static lock_attempt begin(relation_lock* last);
    void lock(Oid relation, LOCKMODE mode) const;
    // Gives the next wait that is not lock()'s the rest of the attempt's time.
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

// Puts the user's lock_timeout back, after an attempt has ended with or without an ERROR.
void put_lock_timeout_back();
bool is_lock_failure(const ErrorData& error);

// Calls take(attempt) again and again until it comes to its end. Each wait in it must be one of attempt.lock(), or must
// follow attempt.limit_next_wait().
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
