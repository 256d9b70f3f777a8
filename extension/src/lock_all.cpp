#include "lock_all.hpp"

namespace pgpubsub {
namespace {

// The pauses grow, so that a transaction that stays open holds up the others little.
constexpr int first_pause_ms = 20;
constexpr int longest_pause_ms = 2000;

// The user's.
int lock_timeout;

}  // namespace

lock_attempt lock_attempt::begin() {
    lock_attempt attempt;
    const int patience_ms = lock_timeout > 0 ? Min(DeadlockTimeout / 2, lock_timeout) : DeadlockTimeout / 2;
    attempt.deadline_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Max(patience_ms, 1));
    return attempt;
}

void lock_attempt::limit_next_wait() const {
    LockTimeout = Max(1, static_cast<int>(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline_)));
}

lock_attempts lock_attempts::begin() {
    lock_attempts attempts;
    lock_timeout = LockTimeout;
    attempts.began_at_ = GetCurrentTimestamp();
    attempts.pause_ms_ = first_pause_ms;
    return attempts;
}

void lock_attempts::pause() {
    if (lock_timeout > 0 && GetCurrentTimestamp() >= TimestampTzPlusMilliseconds(began_at_, lock_timeout))
        ereport(ERROR, errcode(ERRCODE_LOCK_NOT_AVAILABLE), errmsg("canceling statement due to lock timeout"));
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause_ms_, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    pause_ms_ = Min(2 * pause_ms_, longest_pause_ms);
}

void put_lock_timeout_back() { LockTimeout = lock_timeout; }

bool is_lock_failure(const ErrorData& error) {
    put_lock_timeout_back();
    return error.sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error.sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

}  // namespace pgpubsub
