// Order by key: which rows of an ordered channel may be handed out now.
//
// Guarantee: the notifications of one key are handed out in the order of their ids, and those of one key are never in
// the hands of two consumers. A row may be handed out if all of these hold:
// 1. The caller's transaction holds the lock of the key. A consumer that takes keeps it until its transaction ends; one
//    that leases needs it while it claims. It is asked for without waiting: who does not get it leaves the key to the
//    other.
// 2. No row of the key is leased, and no transaction is just changing a lease, as it is found after the lock was got.
//    Neither take nor claim nor extend() can change that while we hold the lock.
// 3. No row of the key that stands before it is held, in a snapshot that was taken after the lock: waits for its next
//    attempt or its deliver_at, or has been given back. Such a row so holds back the whole key, and no other.
// 4. Each other row of the key that stands before it was handed out by the same walk, which has met them all.
//
// For 3 and 4 to cover all rows, a row of an ordered channel whose due_at is null has not been handed out before:
// whatever is given back to such a channel keeps a due_at, if only that of now, and so stays among the held ones.
//
// The lock is one of PostgreSQL's advisory locks, in a class that SQL can't reach: it needs no row, vanishes with the
// transaction, goes with a prepared one, and is shown by pg_locks (objsubid 3).
#pragma once

#include "pg/locks.hpp"
#include "queue/key_look_up.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// What the caller does with the rows that it is handed.
enum class claim_mode {
    take,   // removes them: several of a key may be handed out, one after the other
    lease,  // one of a key
    look,   // nothing: one of a key, and no key stays locked
};

class key_order {
public:
    static key_order begin(const notification_table& table, int32 subscription_id, claim_mode mode);
    // Whether that row may be handed out now.
    bool admits(int64 order_key, int64 id);
    // Whether no row of the key may be, for what is left of the walk.
    bool is_blocked(int64 order_key) const;
    // Whether a row was refused since another transaction has its key, or is at a lease of it.
    bool has_met_locks() const { return has_met_locks_; }
    // Whether a further key can be locked; if not, rows of the keys that are locked may still be handed out.
    static bool has_room();
    // Tells what became of an admitted row: it left the channel, so that the next one may follow; or it was handed out,
    // and the next one may follow if there are runs; or another transaction was at it.
    void passed(int64 order_key, int64 id);
    void handed_out(int64 order_key, int64 id);
    void block(int64 order_key);
    // Unlocks the keys of which nothing was handed out.
    void end();

private:
    struct key_state;

    key_state* state_of(int64 order_key);
    bool lock_and_look(key_state* state);
    void unlock(key_state* state);
    bool is_in_flight(int64 order_key);
    int64 next_held(int64 order_key, int64 after);
    int64 first_held(key_start* start, int64 order_key, Snapshot snapshot);

    const notification_table* table_;
    MemoryContext context_;  // what the scans remember between calls is here
    int32 subscription_id_;
    claim_mode mode_;
    bool has_met_locks_;
    HTAB* keys_;
    repeated_scan in_flight_;
    repeated_scan held_;
    entry_reader reader_;
};
static_assert(survives_longjmp<key_order>);

// The lock of a key.
LOCKTAG key_lock(int32 subscription_id, int64 order_key);

// Whether a row of the key stands behind that one.
bool has_follower(const notification_table& table, int32 subscription_id, int64 order_key, int64 id);

// Registers the callbacks that count how many keys a transaction holds. Called once, when the library is loaded.
void watch_key_locks();

}  // namespace pgpubsub
