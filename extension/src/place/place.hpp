// Remembered places: what claims know to be gone, so that the next ones need not walk over it. Below the first row that
// can be claimed, the indexes may hold millions of entries of removed rows that no VACUUM may remove yet, since
// somebody's snapshot is older.
//
// A *lane* is what a claim walks through in the order of one number: the ready rows of one priority, by id; or the rows
// that have a due_at, by that, as far as their time has come. Of a subscription's lanes, *ranges* are remembered that
// need not be walked through (finished_ranges.hpp): what a walk has found to be gone (range_recorder.hpp), and what a
// claim has removed itself.
//
// Why a range that is finished stays so, though transactions commit in another order than they draw ids and read the
// clock:
// 1. *Nothing is stored in it later.* A walk takes for finished only what is below a number for which this holds: each
//    lower one that was ever drawn is stored already, and so the walk meets it, or was given up; and one that is drawn
//    later is higher. Where the library is preloaded, unstored.hpp knows that number. Else it is found in two steps. A
//    walk notes the last id, the time, and then the next transaction id H. Whoever stores a row has a transaction id
//    before it draws the row's id, or reads the clock for its due_at. So what is below those two belongs to
//    transactions below H. When none of them runs in a later snapshot, that sees all there is. A transaction that runs
//    for long would stop that. So when a walk had to step over many entries, the next ones guess: they take for
//    finished what is stored up to now. In ordered channels, where a row that is passed over would break the order of
//    its key, they don't.
// 2. *Nothing removed comes back.* A removed row counts as gone for good only if its transaction has committed: until
//    then the range has that transaction's id, and whoever comes by asks what became of it (XID, then the commit log;
//    never a snapshot alone: a transaction is not in its own one). What is given back (release, nack, requeue, redrive,
//    recover) gets a due_at, now or later, so it comes back neither into the ready lanes nor into what is finished of
//    the other one.
// 3. *What changes and keeps its number* (a payload that its dedup_key replaces) is there all the time, as some
//    version; a walk that meets a version that is being replaced takes the row for one that stays; and so it does where
//    a row that came after its snapshot has been replaced already, since it may have read the index too early for the
//    entry of the new version (entry_fate.cpp).
// 4. *What breaks the rules* makes everything forgotten: rows that are written by hand (a trigger tells), a clock or a
//    sequence that is set back, another file of the table (TRUNCATE, VACUUM FULL), another database with the OID of a
//    dropped one (utility_hook.cpp). Without preload no session knows of all of that, and some guess; there a place is
//    forgotten each pgpubsub.max_skip_time.
//
// 5. *Of what is stored behind a lane's ranges, its publisher tells.* A range ends where ids begin that may still be
//    drawn, so a claim looks behind it, and of a hundred lanes with nothing in them it would look into each. So there
//    are ranges of lanes, too: as if lanes were numbers in a lane of their own, lane_of_lanes. Such a range has no
//    limit. Instead, who stores a ready row tells, after its entry is in the index and before it commits: then nothing
//    is known of that row's lane any more (lane_is_stored). A walk notes when it begins which number the last tale had.
//    What was in the index by then, it meets; what was told of since is cut out of what it remembers (told_lanes.hpp).
//    A walk whose snapshot sees a row reads the ranges after that snapshot was taken, so after that row was told of. It
//    needs the memory of all, so it is done only where the library is preloaded; and not on a standby, where nobody
//    tells.
//
// A place is kept in shared memory where the library is preloaded, else in the session's. It is only a hint: one that
// is forgotten costs one walk.
#pragma once

#include "channel/channel.hpp"
#include "pure/finished_ranges.hpp"
#include "shmem/shared_memory.hpp"

namespace pgpubsub {

// Of those that have a due_at. The other lanes are priorities, the highest one first.
constexpr int32 due_lane = PG_INT32_MAX;
constexpr int32 lane_of_priority(int32 priority) { return -priority; }
// Its numbers are the lanes of priorities.
constexpr int32 lane_of_lanes = PG_INT32_MAX - 1;
constexpr int32 first_lane = lane_of_priority(PG_INT16_MAX);
constexpr int32 last_lane = lane_of_priority(PG_INT16_MIN);
constexpr int64 bottom = PG_INT64_MIN;  // of a lane
constexpr int64 top = PG_INT64_MAX;

struct place_key {
    Oid database;
    int32 subscription_id;
    Oid file;  // of the table: another one after TRUNCATE, and when the extension was made anew
};

// What a walk begins with: a copy of what is remembered, by the snapshot with which it walks.
class known_place {
public:
    static known_place recall(Relation heap, const channel& c, int32 subscription_id, Snapshot snapshot);

    // The range in which a walk that comes to `at` may go on behind; or the next one. Null: there is none in the lane.
    const finished_range* at_or_behind(int32 lane, int64 at) const {
        return const_cast<known_place*>(this)->ranges().at_or_behind(lane, at);
    }

    // A range with those that follow it without a gap.
    struct passage {
        const finished_range* begin;
        const finished_range* end;
        int64 from;
        int64 to;
        uint32 entries;
        bool is_busy;  // another transaction is removing something in it, and may roll back

        // Few entries are cheaper to step over than to begin a scan behind them.
        bool is_long() const { return entries > 32; }
    };
    passage passage_through(const finished_range& first) const;

    // The time by which this was asked; no row that is due later is walked over.
    TimestampTz now() const { return now_; }
    // Below them a range may be finished.
    int64 limit_of(int32 lane) const {
        if (lane == lane_of_lanes)
            return learns_lanes_ ? top : bottom;
        return lane == due_lane ? due_limit_ : id_limit_;
    }

    // Remembers what a walk has found.
    void remember(const finished_range& range) const;
    // How many entries a walk had to step over.
    void remember_stepped_over(uint32 entries) const;
    // That it had to look into many lanes. From then on, publishers tell.
    void want_lanes() const;

private:
    finished_ranges ranges() { return {ranges_, &count_, capacity_}; }
    void settle(Snapshot snapshot, uint64 next);

    place_key key_;
    uint64 generation_;
    bool is_ordered_;
    bool guesses_;
    bool learns_lanes_;
    uint64 told_;  // the last number, when it was recalled
    TimestampTz now_;
    int64 id_limit_;
    TimestampTz due_limit_;
    finished_range* ranges_;
    uint32 count_;
    uint32 capacity_;
};
static_assert(survives_longjmp<known_place>);

// The entry of a ready row has come into the index.
void lane_is_stored(Relation heap, int32 subscription_id, int16 priority);

// When the place will be forgotten, if something may be passed over until then; DT_NOEND: nothing is.
TimestampTz next_look(Relation heap, int32 subscription_id);

// Forgets one place.
void forget_place(Relation heap, int32 subscription_id);

// Forgets all places: what they were remembered by does not hold any more.
void forget_places();
// How often that was done. What else is remembered of the rows is forgotten with it (key_memory.hpp).
uint64 places_generation();

// Registers the callback. Called once, when the library is loaded.
void watch_places();

extern const shared_part places_part;

}  // namespace pgpubsub
