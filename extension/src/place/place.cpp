// Two tables of places. The places of the first have room for a few ranges; a place that outgrows it moves to the
// second, whose places are larger. Each table consists of sets of a few places. Each set has a lock, which is held for
// less than a microsecond. A full set forgets the place that was not used for the longest time.
#include "place/place.hpp"

#include "channel/catalog.hpp"
#include "pg/settings.hpp"
#include "pg/transactions.hpp"
#include "place/unstored.hpp"
#include "pure/reported_lanes.hpp"

namespace pgpubsub {
namespace {

constexpr uint32 small_capacity = 24;
constexpr uint32 large_capacity = 512;

struct place_state {
    place_key key;
    uint32 used;  // the higher, the later
    uint32 count;
    uint64 generation;
    bool is_large;     // the ranges are in the table of larger places
    int64 highest_id;  // up to this id something may be remembered
    TimestampTz highest_due;
    reported_lanes reports;  // only in shared memory
    // The rest is used only in the session's own table: see place.hpp, 1.
    stored_below safe;
    stored_below noted;
    uint64 horizon;       // a transaction; 0: nothing is noted
    bool is_guess;        // something is taken for finished without a proof
    uint32 stepped_over;  // how many entries the last walk met that were not in a range
    TimestampTz made_at;
};

template <uint32 Capacity>
struct place {
    place_state state;
    finished_range ranges[Capacity];
};

template <uint32 Capacity, int Ways>
struct place_set {
    slock_t lock;
    pg_atomic_uint32
        wants_reports;  // a walk has asked for reports of lanes here; only used in the sets of small places
    uint32 uses;
    place<Capacity> places[Ways];
};
using small_set = place_set<small_capacity, 8>;
using large_set = place_set<large_capacity, 2>;

struct place_table {
    pg_atomic_uint64 generation;
    pg_atomic_uint64 last_report;  // the number of the last report
    uint32 small_count;
    uint32 large_count;
    small_set* small;
    large_set* large;
};

Oid table_of_places = InvalidOid;  // the table to which the session's places belong
place_table* shared_table = nullptr;
place_table* session_table = nullptr;

constexpr uint32 session_small_sets = 8;
constexpr uint32 session_large_sets = 1;

uint32 shared_small_sets() { return static_cast<uint32>((shared_channels() + 7) / 8); }
uint32 shared_large_sets() { return Max(shared_small_sets() / 8, 4); }

Size table_size(uint32 small, uint32 large) {
    return MAXALIGN(sizeof(place_table)) + MAXALIGN(small * sizeof(small_set)) + large * sizeof(large_set);
}

template <typename Set>
void clear(Set* sets, uint32 count) {
    for (uint32 i = 0; i < count; ++i) {
        SpinLockInit(&sets[i].lock);
        pg_atomic_init_u32(&sets[i].wants_reports, 0);
        sets[i].uses = 0;
        for (auto& p : sets[i].places)
            p.state = {};
    }
}

place_table* fill(void* memory, uint32 small, uint32 large) {
    auto* const table = static_cast<place_table*>(memory);
    auto* const bytes = static_cast<char*>(memory) + MAXALIGN(sizeof(place_table));
    pg_atomic_init_u64(&table->generation, 1);
    pg_atomic_init_u64(&table->last_report, 1);
    table->small_count = small;
    table->large_count = large;
    table->small = reinterpret_cast<small_set*>(bytes);
    table->large = reinterpret_cast<large_set*>(bytes + MAXALIGN(small * sizeof(small_set)));
    clear(table->small, small);
    clear(table->large, large);
    return table;
}

bool is_shared() { return shared_table != nullptr; }

place_table& table_to_use() {
    if (is_shared())
        return *shared_table;
    if (session_table == nullptr)
        session_table = fill(MemoryContextAlloc(TopMemoryContext, table_size(session_small_sets, session_large_sets)),
                             session_small_sets, session_large_sets);
    return *session_table;
}

bool is_same(const place_key& a, const place_key& b) {
    return a.database == b.database && a.subscription_id == b.subscription_id && a.file == b.file;
}

// Returns the place in its set, whose lock is held. If it is not there or is out of date, an empty one takes its entry
// or another one's.
template <typename Set>
auto& find_in(Set& set, const place_key& key, uint64 generation) {
    auto* found = &set.places[0];
    for (auto& p : set.places) {
        if (is_same(p.state.key, key)) {
            found = &p;
            break;
        }
        if (set.uses - p.state.used > set.uses - found->state.used)
            found = &p;
    }
    if (!is_same(found->state.key, key) || found->state.generation != generation) {
        found->state = {};
        found->state.key = key;
        found->state.generation = generation;
    }
    found->state.used = ++set.uses;
    return *found;
}

uint32 hash_of(const place_key& key) {
    return hash_combine(murmurhash32(key.database), murmurhash32(static_cast<uint32>(key.subscription_id)));
}

// Calls f(state, ranges) with the place locked. f must neither report an error nor take long.
template <typename F>
void with_place(const place_key& key, F f) {
    place_table& table = table_to_use();
    const uint64 generation = pg_atomic_read_u64(&table.generation);
    const uint32 hash = hash_of(key);
    finished_range moved[small_capacity];
    uint32 moved_count = 0;

    small_set& small = table.small[hash % table.small_count];
    SpinLockAcquire(&small.lock);
    auto& p = find_in(small, key, generation);
    place_state& state = p.state;
    if (!state.is_large) {
        f(state, finished_ranges(p.ranges, &state.count, small_capacity));
        if (state.count + 2 > small_capacity) {
            memcpy(moved, p.ranges, state.count * sizeof(finished_range));
            moved_count = state.count;
            state.count = 0;
            state.is_large = true;
        }
    }
    const bool goes_on = state.is_large;
    place_state head = state;
    SpinLockRelease(&small.lock);
    if (!goes_on)
        return;

    large_set& large = table.large[hash % table.large_count];
    SpinLockAcquire(&large.lock);
    auto& q = find_in(large, key, generation);
    finished_ranges ranges(q.ranges, &q.state.count, large_capacity);
    if (moved_count > 0) {
        head.count = 0;  // the rest of an earlier place of that name was not kept up to date
        head.used = q.state.used;
        head.reports = {};  // between the two locks, something may have been reported
        q.state = head;
        for (uint32 i = 0; i < moved_count; ++i)
            if (moved[i].lane != lane_of_lanes)
                ranges.add(moved[i]);
    } else {
        f(q.state, ranges);
    }
    SpinLockRelease(&large.lock);
}

// --- the number below which everything is stored, where other sessions can't be seen ---

stored_below lower_of(const stored_below& a, const stored_below& b) {
    return {Min(a.id, b.id), Min(a.due_at, b.due_at), b.next_id};
}

// To step over so many entries in each walk is cheaper than to make a guess.
constexpr uint32 guess_limit = 500;

// Takes over what was noted, if by this snapshot no transaction of that time runs any more; and then notes what is
// there now. `next` was read after `stored`.
stored_below safe_by_horizon(place_state& state, const stored_below& stored, uint64 oldest_running, uint64 next) {
    if (state.horizon != 0 && oldest_running >= state.horizon) {
        state.safe = state.noted;
        state.horizon = 0;
    }
    if (state.horizon == 0) {
        state.noted = stored;
        state.horizon = next;
    }
    return lower_of(state.safe, stored);
}

TimestampTz forgotten_at(const place_state& state) { return state.made_at + int64{1000} * max_skip_time(); }

bool is_too_old(const place_state& state, TimestampTz now) { return now < state.made_at || now >= forgotten_at(state); }

place_key key_of(Relation heap, int32 subscription_id) {
    return {MyDatabaseId, subscription_id, heap->rd_rel->relfilenode};
}

}  // namespace

known_place known_place::recall(Relation heap, const channel& c, int32 subscription_id, Snapshot snapshot) {
    known_place place{};
    table_of_places = RelationGetRelid(heap);
    place.key_ = key_of(heap, subscription_id);
    place.is_ordered_ = c.ordered;
    stored_below stored;
    uint64 next = 0;
    uint64 oldest = 0;
    // The highest numbers of the place at the first look, if they were above those that this function had read. They
    // may come from a session that has read later. So the sequence and the clock are read again: only if they are lower
    // still, they were set back.
    bool looks_again = true;
    int64 seen_id = bottom;
    TimestampTz seen_due = bottom;
    bool has_copied = false;
    const bool is_standby = RecoveryInProgress();
    for (uint32 capacity = small_capacity; !has_copied; capacity = large_capacity) {
        if (looks_again) {
            place.generation_ = pg_atomic_read_u64(
                &table_to_use().generation);  // ranges that were found by numbers from before it are forgotten, too
            place.now_ = GetCurrentTimestamp();
            stored = all_stored_below(c.id, place.now_);
            next = next_transaction();
            oldest = is_shared() ? 0 : oldest_running(snapshot, next);
        }
        const bool is_first_look = seen_id == bottom;
        looks_again = false;
        place.ranges_ = static_cast<finished_range*>(palloc(capacity * sizeof(finished_range)));
        place.capacity_ = capacity;
        with_place(place.key_, [&](place_state& state, finished_ranges ranges) {
            if (is_first_look && (stored.next_id < state.highest_id || place.now_ < state.highest_due)) {
                seen_id = state.highest_id;
                seen_due = state.highest_due;
                looks_again = true;
                return;
            }
            if (!is_shared()) {
                if (is_too_old(state, place.now_)) {
                    state.count = state.stepped_over = 0;
                    state.is_guess = false;
                    state.made_at = place.now_;
                }
                const stored_below safe = safe_by_horizon(state, stored, oldest, next);
                place.guesses_ = !c.ordered && state.stepped_over > guess_limit;
                if (!place.guesses_)
                    stored = safe;
            }
            // The sequence or the clock was set back.
            if (stored.next_id < seen_id) {
                state.count = 0;
                state.highest_id = 0;
                state.safe.id = 0;
            }
            if (place.now_ < seen_due) {
                ranges.forget_lane(due_lane);
                state.highest_due = 0;
                state.safe.due_at = 0;
            }
            place.last_report_ = pg_atomic_read_u64(&table_to_use().last_report);
            place.learns_lanes_ = is_shared() && !is_standby && state.reports.has_begun();
            const uint32 wanted = max_skip_time() > 0 && !is_standby ? ranges.size() : 0;
            has_copied = wanted <= capacity;
            place.count_ = has_copied ? wanted : 0;
            memcpy(place.ranges_, ranges.begin(), place.count_ * sizeof(finished_range));
        });
    }
    pg_memory_barrier();  // an index that is read from now on has all entries that were reported
    place.id_limit_ = is_standby ? bottom : stored.id;
    place.due_limit_ = is_standby ? bottom : stored.due_at;
    place.settle(snapshot, next);
    return place;
}

// Finds out what became of the transactions that ranges depend on. Two kinds of ranges are left out of this copy
// although their transaction runs:
// - In an ordered channel, a walk must meet a row that another transaction is removing: if the row is back a moment
//   later, it comes first of its key.
// - A transaction must meet the rows that it has stored itself, which others can't see yet.
void known_place::settle(Snapshot snapshot, uint64 next) {
    struct ended_transaction {
        uint64 number;
        bool has_committed;
        bool is_running;  // but a walk must meet its rows
    };
    ended_transaction* ended = nullptr;
    uint32 ended_count = 0;
    for (const finished_range& range : ranges()) {
        if (range.kind == finished_range::finished)
            continue;
        const transaction_state state = state_of_transaction(range.owner, snapshot, next);
        const bool is_running = state == transaction_state::running;
        if (is_running) {
            const bool is_own = is_present_transaction(range.owner);
            const bool inserted = range.kind == finished_range::inserted;
            if (inserted ? !is_own : (is_own || !is_ordered_))
                continue;
        }
        if (ended == nullptr)
            ended = static_cast<ended_transaction*>(palloc(count_ * sizeof(ended_transaction)));
        ended[ended_count++] = {range.owner, state == transaction_state::committed, is_running};
    }
    for (uint32 i = 0; i < ended_count; ++i) {
        const ended_transaction& t = ended[i];
        const auto settle_in = [&t](finished_ranges all) {
            t.has_committed ? all.committed(t.number) : all.forget(t.number);
        };
        settle_in(ranges());
        if (!t.is_running)
            with_place(key_, [&](place_state&, finished_ranges all) { settle_in(all); });
    }
}

known_place::passage known_place::passage_through(const finished_range& first) const {
    passage result = {&first, &first, first.from, first.from, 0, false};
    for (const finished_range* r = &first; r != ranges_ + count_ && r->lane == first.lane && r->from == result.to;
         ++r) {
        result.end = r + 1;
        result.to = r->to;
        result.entries += r->entries;
        result.is_busy = result.is_busy || (r->kind == finished_range::removed && !is_present_transaction(r->owner));
    }
    return result;
}

void known_place::remember(const finished_range& range) const {
    with_place(key_, [&](place_state& state, finished_ranges ranges) {
        if (state.generation != generation_)
            return;
        if (range.lane == lane_of_lanes) {
            if (!state.reports.has_all_after(last_report_))
                return;
            ranges.add(range);
            state.reports.for_each_after(last_report_, [&](int32 lane) { ranges.cut_out(lane_of_lanes, lane); });
            return;
        }
        ranges.add(range);
        state.is_guess = state.is_guess || guesses_;
        if (range.lane == due_lane)
            state.highest_due = Max(state.highest_due, range.to);
        else
            state.highest_id = Max(state.highest_id, range.to);
    });
}

void known_place::remember_stepped_over(uint32 entries) const {
    if (!is_shared())
        with_place(key_, [&](place_state& state, finished_ranges) { state.stepped_over = entries; });
}

void known_place::want_lanes() const {
    if (!is_shared() || learns_lanes_ || RecoveryInProgress())
        return;
    pg_atomic_write_u32(&shared_table->small[hash_of(key_) % shared_table->small_count].wants_reports, 1);
    with_place(key_, [](place_state& state, finished_ranges) {
        if (!state.reports.has_begun())
            state.reports.begin(pg_atomic_add_fetch_u64(&shared_table->last_report, 1));
    });
}

void lane_is_stored(Relation heap, int32 subscription_id, int16 priority) {
    if (!is_shared())
        return;
    pg_memory_barrier();  // the entry is there before this is read; known_place::recall() does it in the opposite order
    const place_key key = key_of(heap, subscription_id);
    if (pg_atomic_read_u32(&shared_table->small[hash_of(key) % shared_table->small_count].wants_reports) == 0)
        return;
    with_place(key, [priority](place_state& state, finished_ranges ranges) {
        if (!state.reports.has_begun())
            return;
        state.reports.add(lane_of_priority(priority), pg_atomic_add_fetch_u64(&shared_table->last_report, 1));
        ranges.cut_out(lane_of_lanes, lane_of_priority(priority));
    });
}

TimestampTz next_look(Relation heap, int32 subscription_id) {
    TimestampTz next = DT_NOEND;
    if (!is_shared())
        with_place(key_of(heap, subscription_id), [&](place_state& state, finished_ranges) {
            if (state.is_guess)
                next = forgotten_at(state);
        });
    return next;
}

void forget_place(Relation heap, int32 subscription_id) {
    with_place(key_of(heap, subscription_id), [](place_state& state, finished_ranges) { state.count = 0; });
}

uint64 places_generation() { return pg_atomic_read_u64(&table_to_use().generation); }

void forget_places() { pg_atomic_fetch_add_u64(&table_to_use().generation, 1); }

namespace {

// For a session that remembers by itself: reaches it when rows that were written by hand are committed.
void at_invalidation(Datum, Oid relation) {
    if (!is_shared() && session_table != nullptr && (!OidIsValid(relation) || relation == table_of_places))
        forget_places();
}

}  // namespace

void watch_places() { CacheRegisterRelcacheCallback(at_invalidation, Datum{0}); }

const shared_part places_part = {"pgpubsub places", [] { return table_size(shared_small_sets(), shared_large_sets()); },
                                 [](void* memory, bool is_new) {
                                     shared_table = is_new ? fill(memory, shared_small_sets(), shared_large_sets())
                                                           : static_cast<place_table*>(memory);
                                 }};

}  // namespace pgpubsub

using namespace pgpubsub;

// A statement trigger. No statement of the library's own fires it.
PGPUBSUB_FUNCTION(pgpubsub_notifications_changed) {
    CacheInvalidateRelcacheByRelid(our_catalog().notification);
    forget_places();
    return no_row;
}
