#include "pg/lock_all.hpp"

namespace pgpubsub {
namespace {

// The pauses grow, so that a transaction that stays open delays other sessions little.
constexpr int first_pause_ms = 20;
constexpr int longest_pause_ms = 2000;

// The time beyond deadlock_timeout: what PostgreSQL does at deadlock_timeout needs a moment to take effect.
constexpr int reserve_ms = 200;

// The user's lock_timeout.
int lock_timeout;

int within_lock_timeout(int ms) { return Max(lock_timeout > 0 ? Min(ms, lock_timeout) : ms, 1); }

}  // namespace

lock_attempt lock_attempt::begin(relation_lock* last) {
    if (OidIsValid(last->relation)) {
        LockTimeout = within_lock_timeout(DeadlockTimeout + reserve_ms);
        LockRelationOid(last->relation, last->mode);
    }
    lock_attempt attempt;
    attempt.deadline_ = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), within_lock_timeout(DeadlockTimeout / 2));
    attempt.last_ = last;
    return attempt;
}

void lock_attempt::lock(Oid relation, LOCKMODE mode) const {
    *last_ = {relation, mode};
    limit_next_wait();
    LockRelationOid(relation, mode);
}

void lock_attempt::limit_next_wait() const {
    LockTimeout = Max(1, static_cast<int>(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline_)));
}

lock_attempts lock_attempts::begin() {
    lock_attempts attempts;
    lock_timeout = LockTimeout;
    attempts.began_at_ = GetCurrentTimestamp();
    attempts.pause_ms_ = first_pause_ms;
    attempts.last_ = {InvalidOid, NoLock};
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
