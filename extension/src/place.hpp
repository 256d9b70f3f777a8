// Remembered places: where the rows of a subscription begin, so that a claim need not walk over those that are gone.
//
// A *lane* is what a claim walks through in the order of one number: the ready rows of one priority, by id; or the rows that have a
// due_at, by that, as far as their time has come. Of each lane a *floor* is remembered: nothing that could be claimed stands below
// it. Below the floor, the index may hold millions of entries of removed rows that no VACUUM may remove yet, since somebody's
// snapshot is older.
//
// Why that is so, though transactions commit in another order than they draw ids and read the clock:
// 1. Whoever stores a row has a transaction id before it draws the row's id. So when a walk has met id X - 1 in a lane, and then
//    reads the next transaction id H, each id below X was drawn by a transaction below H. Whoever stores a due_at has a transaction
//    id before it reads the clock, and stores none that is below what it read. So when a walk has read the clock as X, and then
//    H, each due_at below X was stored, or will be, by a transaction below H. (X, H) is the lane's *mark*.
// 2. A later walk, by whose snapshot no transaction below H runs any more, sees all rows below X that there will ever be. If
//    it meets none that stays, the floor moves to X; else to the first one that stays. Such a step is *exact*.
// 3. Floors move when the walk's transaction commits. One that rolls back brings back the rows which it removed.
// 4. What is given back gets a time at which it is due, now or later, and so comes back neither into the lanes of ready rows nor
//    below the floor of the other one. What is changed and keeps its number has one version that each snapshot sees.
//
// A transaction that runs for long would stop that. So when a walk has to step over many dead entries, the next one looks at
// each of them, and each row that stays, once more: who is inserting or removing it? The floor then moves past such rows; each
// such transaction leaves a *hole*, and when it has ended the floor is lowered to the first row that it was seen at. What is left
// open is a transaction that has its number, an id or a time, and not yet stored its row: that is why from time to time a lane is
// *swept*, that is, walked from its beginning. In ordered channels, where a row that is passed over would break the order of its
// key, only exact steps are taken. A sweep also finds what breaks the rules: a clock that is set back, and what is written by hand.
//
// A place is kept in shared memory where the library is preloaded, else in the session's. It is only a hint: one that is
// forgotten costs one walk.
#pragma once

#include "shared_memory.hpp"

#include <span>

namespace pgpubsub {

// Of those that have a due_at. The other lanes are priorities.
constexpr int32 due_lane = PG_INT32_MAX;
constexpr int max_ready_lanes = 8;
constexpr int max_lanes = max_ready_lanes + 1;
constexpr int max_holes = 16;
constexpr int64 bottom = PG_INT64_MIN;  // of a lane
constexpr int64 top = PG_INT64_MAX;

struct lane_memory {
    int32 lane;
    int32 passed;               // how many dead entries the last walk stepped over
    uint64 epoch;               // another one whenever the floor is lowered
    int64 floor;
    int64 mark;
    TransactionId mark_horizon;
    TransactionId weak_horizon; // of the last step that was not exact, unless the lane was swept since; else invalid
    TimestampTz last_sweep;
    int64 sweep_cost;           // of that, in microseconds
    int64 sweep_interval;       // how long to wait until the next one, where a step was not exact
};

struct hole {
    TransactionId xid;
    int32 lane;
    int64 at;
};

struct place_key {
    Oid database;
    int32 subscription_id;
    Oid file;  // of the table: another one after TRUNCATE, and when the extension was made anew
};

struct place {
    place_key key;
    uint32 used;  // the higher, the later
    int32 lane_count;
    int32 hole_count;
    lane_memory lanes[max_lanes];
    hole holes[max_holes];
};
static_assert(survives_longjmp<place>);

inline place_key key_of_place(Relation heap, int32 subscription_id) {
    return {MyDatabaseId, subscription_id, heap->rd_rel->relfilenode};
}

// What a walk has found in a lane that it has walked through from its floor, or its bottom.
struct walked_lane {
    int32 lane;
    uint64 epoch;           // of the lane when the walk began; 0: the lane is new
    int64 mark;             // of the lane when the walk began
    int64 first_live;       // the lowest row that is there unless this transaction commits; or top
    int64 floor;            // where the floor may be when this transaction commits; bottom: where it is
    bool is_exact;          // that step
    int64 new_mark;         // 0: none
    TransactionId new_mark_horizon;
    int32 passed;
    bool is_empty;          // not even a dead entry is in it
    bool was_swept;
    TransactionId oldest_running;
    int64 sweep_cost;       // microseconds
    int hole_count;
    hole holes[max_holes];  // below `floor`
};
static_assert(survives_longjmp<walked_lane>);

// The place as the session knows it, with what this transaction has walked over and will remove when it commits. `snapshot`
// is that of the walk: holes of transactions that it sees as ended are dealt with.
place recall_place(const place_key& key, Snapshot snapshot);

// When the lane should be swept next.
TimestampTz sweep_time(const lane_memory& lane);

// Whether the caller, who knows the lane like this, may sweep it now. Then nobody else does.
bool begin_sweep(const place_key& key, const lane_memory& known, TimestampTz now);

// Remembers what the walk found; what depends on it when the transaction commits.
void remember_walk(const place_key& key, const walked_lane& walked, TimestampTz now);

// When the lanes that may hold a row below their floor are swept next; DT_NOEND: none does.
TimestampTz next_sweep_of(const place_key& key);

// Registers the callbacks. Called once, when the library is loaded.
void watch_places();

extern const shared_part places_part;

}  // namespace pgpubsub
