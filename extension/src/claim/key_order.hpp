// Order by key: which rows of an ordered channel may be handed out now.
//
// Guarantee: the notifications of one key are handed out in the order of their ids, and two consumers never have
// notifications of the same key in hand. A row may be handed out if all of these hold:
// 1. The caller's transaction holds the lock of the key. A take keeps the lock until its transaction ends; a claim
//    needs it only while it runs. The lock is requested without waiting: a caller that does not get it leaves the key
//    to the holder.
// 2. After the lock was acquired, no row of the key is leased, and no transaction is changing a lease of it. Neither
//    take() nor claim() nor extend() can change that while we hold the lock.
// 3. No earlier row of the key is held, in a snapshot that was taken after the lock. A held row waits for its next
//    attempt or its deliver_at, or has been given back. So a held row delays its whole key, and no other key.
// 4. Every other earlier row of the key was handed out by the same walk, which has met them all.
//
// For 3 and 4 to cover all rows, a row of an ordered channel whose due_at is null must never have been handed out
// before. Therefore every row that is given back to such a channel keeps a due_at, at least the present time, and stays
// among the held rows.
//
// The lock is one of PostgreSQL's advisory locks, in a class that SQL can't reach. It needs no row, vanishes with the
// transaction, goes with a prepared transaction, and is shown by pg_locks (objsubid 3).
#pragma once

#include "pg/locks.hpp"
#include "queue/key_look_up.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// What the caller does with the rows that it receives.
enum class claim_mode {
    take,   // removes them; several rows of a key may be handed out, one after the other
    lease,  // leases them; one row of a key
    look,   // nothing; one row of a key, and no key stays locked
};

class key_order {
public:
    static key_order begin(const notification_table& table, int32 subscription_id, claim_mode mode);
    // Returns whether that row may be handed out now.
    bool admits(int64 order_key, int64 id);
    // Returns whether no row of the key may be handed out for the rest of the walk.
    bool is_blocked(int64 order_key) const;
    // Returns whether a row was refused because another transaction has its key, or is changing a lease of it.
    bool has_met_locks() const { return has_met_locks_; }
    // Returns whether a further key can be locked. If not, rows of the keys that are locked may still be handed out.
    static bool has_room();
    // Report what became of an admitted row:
    // - passed(): it left the channel, so that the next row of the key may follow;
    // - handed_out(): it was handed out, and the next row may follow if there are runs;
    // - block(): another transaction had locked or was changing it.
    void passed(int64 order_key, int64 id);
    void handed_out(int64 order_key, int64 id);
    void block(int64 order_key);
    // Unlocks the keys of which no row was handed out.
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
    MemoryContext context_;  // of all that the scans remember between calls
    int32 subscription_id_;
    claim_mode mode_;
    bool has_met_locks_;
    HTAB* keys_;
    repeated_scan in_flight_;
    repeated_scan held_;
    entry_reader reader_;
};
static_assert(survives_longjmp<key_order>);

// Returns the lock of a key.
LOCKTAG key_lock(int32 subscription_id, int64 order_key);

// Returns whether the key has a row behind that id.
bool has_follower(const notification_table& table, int32 subscription_id, int64 order_key, int64 id);

// Registers the callbacks that count how many keys a transaction holds. Called once, when the library is loaded.
void watch_key_locks();

}  // namespace pgpubsub
