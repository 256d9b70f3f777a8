// Many locks at once, for a command that changes what all sessions use: nobody fails for it, and nobody waits long.
//
// A session may hold one of the locks and wait for another one, in whatever order its transaction came to them; or just
// hold one for long. So taking all of them has a time limit below deadlock_timeout, after which they are given back, and
// it begins anew a while later. Who waits stands in the queue of the lock, so constant traffic can't keep the command
// out. All of it ends when the user's lock_timeout is over, or when it is cancelled.
#pragma once

#include "sub_transaction.hpp"

namespace pgpubsub {

// The time within which one attempt is to have all locks.
class lock_attempt {
public:
    static lock_attempt begin();
    // What is waited for next has what is left of the time.
    void limit_next_wait() const;

private:
    TimestampTz deadline_;
};

// Puts lock_timeout back, and tells how to go on.
class lock_attempts {
public:
    static lock_attempts begin();
    void end_attempt() const { LockTimeout = lock_timeout_; }
    // Errors: lock_not_available (55P03) when the user's lock_timeout is over.
    void pause();

private:
    int lock_timeout_;
    TimestampTz began_at_;
    int pause_ms_;
};

bool is_lock_failure(const ErrorData& error);

// Calls take(attempt) until it comes to its end; it calls attempt.limit_next_wait() before each wait.
template <typename Take>
void take_all_locks(Take take) {
    lock_attempts attempts = lock_attempts::begin();
    for (;;) {
        const bool taken = in_sub_transaction(
            [&] {
                take(lock_attempt::begin());
                return true;
            },
            is_lock_failure);
        attempts.end_attempt();
        if (taken)
            return;
        attempts.pause();
    }
}

}  // namespace pgpubsub
