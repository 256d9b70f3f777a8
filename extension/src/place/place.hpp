// Remembered places: the ranges of the indexes in which claims have found nothing left. The next claims need not walk
// over them.
//
// Guarantee: a claim that skips a finished range misses no row. Below the first row that can be claimed, the indexes
// may hold millions of entries of removed rows. VACUUM can't remove them yet if a session has an older snapshot.
//
// A *lane* is one sorted part of a subscription's rows: the ready rows of one priority, ordered by id; or the rows
// whose due_at has passed, ordered by due_at. A claim walks through it in that order. A place remembers *ranges* of
// lanes that need not be walked through (finished_ranges.hpp): what a walk has found to be gone (range_recorder.hpp),
// and what a claim has removed itself.
//
// A finished range stays finished, though transactions commit in another order than they draw ids and read the clock:
// 1. *Nothing is stored in it later.* A walk takes for finished only what is below a number with two properties. Each
//    lower number that was ever drawn is stored already, so that the walk meets it, or was given up. Each number that
//    is drawn later is higher. Where the library is preloaded, unstored.hpp knows that number. Elsewhere it is found in
//    two steps. A walk notes the last id, the time, and then the next transaction id H. A session that stores a row has
//    a transaction id before it draws the row's id, or reads the clock for its due_at. So all rows below the noted id
//    and time belong to transactions below H. When none of these transactions runs in a later snapshot, that snapshot
//    sees all of the rows. A transaction that runs for long would stop that. So when a walk had to step over many
//    entries, the next walks guess: they take for finished what is stored up to now. They don't in ordered channels,
//    where a row that is passed over would break the order of its key.
// 2. *Nothing removed comes back.* A removed row counts as gone for good only if its transaction has committed. Until
//    then the range has that transaction's id, and each walk that meets the range asks what became of the transaction
//    (XID, then the commit log; never a snapshot alone, since a transaction is not in its own snapshot). A row that is
//    given back (release, nack, requeue, redrive, recover) gets a due_at of now or later. So it comes back neither into
//    the ready lanes nor into a finished range of the lane of due rows.
// 3. *A row that changes and keeps its number* (its payload is replaced by its dedup_key) is there all the time, as
//    some version. A walk takes the row for one that stays in two cases: it meets a version that is being replaced; or
//    it meets a row that came after its snapshot and has been replaced already. In the second case it may have read the
//    index too early for the entry of the new version (entry_fate.cpp).
// 4. *A break of the rules* makes everything forgotten: rows that are written by hand (a trigger reports them), a clock
//    or a sequence that is set back, another file of the table (TRUNCATE, VACUUM FULL), another database with the OID
//    of a dropped one (utility_hook.cpp). Without preload no session knows of all of that, and some guess; there a
//    place is forgotten each pgpubsub.max_skip_time.
//
// 5. *Publishers report rows that they store behind a lane's ranges.* A range ends where the ids begin that may still
//    be drawn. So a claim looks behind the range, and it would look into each of a hundred lanes with nothing in them.
//    Therefore there are ranges of lanes, too, as if lanes were numbers in a lane of their own, lane_of_lanes. Such a
//    range has no limit. Instead, a session that stores a ready row reports it, after the row's entry is in the index
//    and before the transaction commits: from then on nothing is known of that row's lane (lane_is_stored). When a walk
//    begins, it notes the number of the last report. It meets every entry that was in the index by then. A lane that
//    was reported since is cut out of what the walk remembers (reported_lanes.hpp). A walk whose snapshot sees a row
//    reads the ranges after that snapshot was taken, so after that row was reported. This needs the reports of all
//    sessions, so it is done only where the library is preloaded; and not on a standby, where nobody reports.
//
// A place is kept in shared memory where the library is preloaded, else in the session's memory. It is only a hint: to
// forget a place costs one walk.
#pragma once

#include "channel/channel.hpp"
#include "pure/finished_ranges.hpp"
#include "shmem/shared_memory.hpp"

namespace pgpubsub {

// The lane of the rows that have a due_at. The other lanes are priorities, the highest one first.
constexpr int32 due_lane = PG_INT32_MAX;
constexpr int32 lane_of_priority(int32 priority) { return -priority; }
// The numbers of this lane are the lanes of priorities.
constexpr int32 lane_of_lanes = PG_INT32_MAX - 1;
constexpr int32 first_lane = lane_of_priority(PG_INT16_MAX);
constexpr int32 last_lane = lane_of_priority(PG_INT16_MIN);
constexpr int64 bottom = PG_INT64_MIN;  // of a lane
constexpr int64 top = PG_INT64_MAX;

struct place_key {
    Oid database;
    int32 subscription_id;
    Oid file;  // of the table: another file after TRUNCATE, and when the extension was made anew
};

// The place as a walk begins with it: a copy of what is remembered, by the snapshot with which it walks.
class known_place {
public:
    static known_place recall(Relation heap, const channel& c, int32 subscription_id, Snapshot snapshot);

    // Returns the range that has `at`, behind which a walk that comes to `at` may go on; or the next range. Null: the
    // lane has no such range.
    const finished_range* at_or_behind(int32 lane, int64 at) const {
        return const_cast<known_place*>(this)->ranges().at_or_behind(lane, at);
    }

    // A range, and the ranges that follow it without a gap.
    struct passage {
        const finished_range* begin;
        const finished_range* end;
        int64 from;
        int64 to;
        uint32 entries;
        bool is_busy;  // another transaction is removing rows in it, and may roll back

        // To step over few entries is cheaper than to begin a scan behind them.
        bool is_long() const { return entries > 32; }
    };
    passage passage_through(const finished_range& first) const;

    // The time at which the place was recalled. A walk meets no row that is due later.
    TimestampTz now() const { return now_; }
    // Returns the limit of finished ranges of the lane: they end below it.
    int64 limit_of(int32 lane) const {
        if (lane == lane_of_lanes)
            return learns_lanes_ ? top : bottom;
        return lane == due_lane ? due_limit_ : id_limit_;
    }

    // Remembers a range that a walk has found.
    void remember(const finished_range& range) const;
    // Remembers how many entries a walk had to step over.
    void remember_stepped_over(uint32 entries) const;
    // Notes that a walk had to look into many lanes. From then on, publishers report.
    void want_lanes() const;

private:
    finished_ranges ranges() { return {ranges_, &count_, capacity_}; }
    void settle(Snapshot snapshot, uint64 next);

    place_key key_;
    uint64 generation_;
    bool is_ordered_;
    bool guesses_;
    bool learns_lanes_;
    uint64 last_report_;  // the number of the last report when the place was recalled
    TimestampTz now_;
    int64 id_limit_;
    TimestampTz due_limit_;
    finished_range* ranges_;
    uint32 count_;
    uint32 capacity_;
};
static_assert(survives_longjmp<known_place>);

// Reports that the entry of a ready row has come into the index.
void lane_is_stored(Relation heap, int32 subscription_id, int16 priority);

// Returns when the place will be forgotten, if a row may be passed over until then; DT_NOEND: no row is.
TimestampTz next_look(Relation heap, int32 subscription_id);

// Forgets one place.
void forget_place(Relation heap, int32 subscription_id);

// Forgets all places: the facts by which they were remembered do not hold any more.
void forget_places();
// Returns how often that was done. What key_memory.hpp knows of the rows is forgotten at the same times.
uint64 places_generation();

// Registers the callback. Called once, when the library is loaded.
void watch_places();

extern const shared_part places_part;

}  // namespace pgpubsub
