#include "place.hpp"

#include "settings.hpp"

namespace pgpubsub {
namespace {

// A table of places: sets of a few, each with its lock, which is held for nanoseconds. A set that is full forgets the place
// that was not used for the longest time.
constexpr int set_size = 8;

struct place_set {
    slock_t lock;
    uint32 uses;
    place places[set_size];
};

struct place_table {
    pg_atomic_uint64 epoch;
    uint32 set_count;
    place_set sets[FLEXIBLE_ARRAY_MEMBER];
};

constexpr uint32 session_sets = 8;

place_table* shared_table = nullptr;
place_table* session_table = nullptr;

Size table_size(uint32 sets) { return offsetof(place_table, sets) + sets * sizeof(place_set); }

uint32 shared_sets() { return static_cast<uint32>((shared_channels() + set_size - 1) / set_size); }

void fill(place_table* table, uint32 sets) {
    memset(static_cast<void*>(table), 0, table_size(sets));
    pg_atomic_init_u64(&table->epoch, 1);
    table->set_count = sets;
    for (uint32 i = 0; i < sets; ++i)
        SpinLockInit(&table->sets[i].lock);
}

// The table that this session uses; null before it is first needed.
place_table* present_table() { return shared_table != nullptr ? shared_table : session_table; }

place_table& table_to_use() {
    if (present_table() == nullptr) {
        auto* const table = static_cast<place_table*>(MemoryContextAlloc(TopMemoryContext, table_size(session_sets)));
        fill(table, session_sets);
        session_table = table;
    }
    return *present_table();
}

// Calls f(place, table) with the set locked; f must neither report an error nor take long. With `make`, a place that is not
// there is made; else, where it is not there, f is not called.
template <typename F>
void with_place(const place_key& key, bool make, F f) {
    place_table* const table = present_table();
    if (table == nullptr)
        return;
    const uint32 hash = hash_combine(murmurhash32(key.database), murmurhash32(static_cast<uint32>(key.subscription_id)));
    place_set& set = table->sets[hash % table->set_count];
    SpinLockAcquire(&set.lock);
    place* found = nullptr;
    place* oldest = &set.places[0];
    for (place& p : set.places) {
        if (p.key.database == key.database && p.key.subscription_id == key.subscription_id) {
            found = &p;
            break;
        }
        if (set.uses - p.used > set.uses - oldest->used)
            oldest = &p;
    }
    if (make && (found == nullptr || found->key.file != key.file)) {
        if (found == nullptr)
            found = oldest;
        found->key = key;
        found->lane_count = found->hole_count = 0;
    }
    if (found != nullptr && found->key.file == key.file) {
        found->used = ++set.uses;
        f(*found, *table);
    }
    SpinLockRelease(&set.lock);
}

lane_memory* lane_of(place& p, int32 lane) {
    for (int i = 0; i < p.lane_count; ++i)
        if (p.lanes[i].lane == lane)
            return &p.lanes[i];
    return nullptr;
}

bool has_room_for(place& p, int32 lane) {
    const int ready_lanes = p.lane_count - (lane_of(p, due_lane) != nullptr);
    return lane == due_lane || ready_lanes < max_ready_lanes;
}

uint64 new_epoch(place_table& table) { return pg_atomic_fetch_add_u64(&table.epoch, 1); }

void lower(place_table& table, lane_memory* lane, int64 to) {
    if (to < lane->floor) {
        lane->floor = to;
        lane->epoch = new_epoch(table);
    }
}

// Microseconds. At most one part of so many of the time is spent on sweeping.
constexpr int64 smallest_interval = 100'000;
constexpr int64 sweep_share = 50;

int64 max_interval() { return int64{1000} * max_skip_time(); }

int64 first_interval(const lane_memory& lane) { return Max(lane.sweep_cost * sweep_share, smallest_interval); }

void note_sweep(lane_memory* lane, const walked_lane& walked, TimestampTz now) {
    lane->last_sweep = now;
    lane->sweep_cost = walked.sweep_cost;
    if (!TransactionIdPrecedes(walked.oldest_running, lane->weak_horizon))
        lane->weak_horizon = InvalidTransactionId;
    // Longer each time, for a transaction that may still store a row below the floor may go on for hours.
    lane->sweep_interval = Max(lane->sweep_interval * 2, first_interval(*lane));
}

// --- what is to happen when the transaction commits ---

struct pending_move {
    place_key key;
    int32 lane;
    uint64 epoch;
    int64 floor;
    TransactionId weak_horizon;
    int hole_count;
    hole holes[max_holes];
};

constexpr int max_pending = 32;
pending_move pending[max_pending];
int pending_count = 0;

bool is_same_place(const place_key& a, const place_key& b) {
    return a.database == b.database && a.subscription_id == b.subscription_id && a.file == b.file;
}

pending_move* find_pending(const place_key& key, int32 lane) {
    for (int i = 0; i < pending_count; ++i)
        if (pending[i].lane == lane && is_same_place(pending[i].key, key))
            return &pending[i];
    return nullptr;
}

void apply(const pending_move& move) {
    with_place(move.key, false, [&move](place& p, place_table&) {
        lane_memory* const lane = lane_of(p, move.lane);
        if (lane == nullptr || lane->epoch != move.epoch || lane->floor >= move.floor)
            return;
        int64 floor = move.floor;
        for (int i = 0; i < move.hole_count; ++i) {
            const hole& h = move.holes[i];
            if (h.at < lane->floor || h.at >= floor)
                continue;
            hole* known = nullptr;
            for (int k = 0; k < p.hole_count; ++k)
                if (p.holes[k].xid == h.xid && p.holes[k].lane == h.lane)
                    known = &p.holes[k];
            if (known != nullptr)
                known->at = Min(known->at, h.at);
            else if (p.hole_count < max_holes)
                p.holes[p.hole_count++] = h;
            else
                floor = h.at;
        }
        if (floor > lane->floor) {
            lane->floor = floor;
            if (TransactionIdIsValid(move.weak_horizon)) {
                lane->weak_horizon = move.weak_horizon;
                lane->sweep_interval = first_interval(*lane);
            }
        }
    });
}

void move_at_commit(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_COMMIT:
            for (int i = 0; i < pending_count; ++i)
                apply(pending[i]);
            pending_count = 0;
            break;
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PREPARE:
            pending_count = 0;
            break;
        default:
            break;
    }
}

// What it had removed is there again.
void forget_at_rollback(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        pending_count = 0;
}

}  // namespace

place recall_place(const place_key& key, Snapshot snapshot) {
    table_to_use();
    place copy;
    const auto copy_it = [&copy](place& p, place_table&) { copy = p; };
    with_place(key, true, copy_it);

    // To ask for a transaction may take long, so not under the lock.
    hole ended[max_holes];
    int ended_count = 0;
    for (int i = 0; i < copy.hole_count; ++i)
        if (!XidInMVCCSnapshot(copy.holes[i].xid, snapshot))
            ended[ended_count++] = copy.holes[i];
    if (ended_count > 0) {
        with_place(key, true, [&](place& p, place_table& table) {
            for (int i = 0; i < ended_count; ++i) {
                for (int k = 0; k < p.hole_count; ++k) {
                    if (p.holes[k].xid != ended[i].xid || p.holes[k].lane != ended[i].lane)
                        continue;
                    if (lane_memory* const lane = lane_of(p, p.holes[k].lane))
                        lower(table, lane, p.holes[k].at);
                    p.holes[k--] = p.holes[--p.hole_count];
                }
            }
            copy = p;
        });
    }

    for (int i = 0; i < copy.lane_count; ++i) {
        lane_memory& lane = copy.lanes[i];
        const pending_move* const move = find_pending(key, lane.lane);
        if (move == nullptr || move->epoch != lane.epoch)
            continue;
        bool has_ended = false;
        for (int k = 0; k < move->hole_count; ++k)
            has_ended = has_ended || !XidInMVCCSnapshot(move->holes[k].xid, snapshot);
        if (!has_ended)
            lane.floor = Max(lane.floor, move->floor);
    }
    return copy;
}

TimestampTz sweep_time(const lane_memory& lane) {
    const bool is_exact = !TransactionIdIsValid(lane.weak_horizon);
    return lane.last_sweep + (is_exact ? max_interval() : Min(lane.sweep_interval, max_interval()));
}

bool begin_sweep(const place_key& key, const lane_memory& known, TimestampTz now) {
    bool begins = false;
    with_place(key, false, [&](place& p, place_table&) {
        lane_memory* const memory = lane_of(p, known.lane);
        begins = memory != nullptr && (memory->last_sweep == known.last_sweep || now >= sweep_time(*memory));
        if (begins)
            memory->last_sweep = now;
    });
    return begins;
}

void remember_walk(const place_key& key, const walked_lane& walked, TimestampTz now) {
    pending_move move = {.key = key, .lane = walked.lane, .floor = bottom};
    with_place(key, true, [&](place& p, place_table& table) {
        lane_memory* lane = lane_of(p, walked.lane);
        if (lane == nullptr) {
            if (walked.epoch != 0 || walked.new_mark == 0 || !has_room_for(p, walked.lane))
                return;
            lane = &p.lanes[p.lane_count++];
            *lane = {.lane = walked.lane, .epoch = new_epoch(table), .floor = bottom, .mark = bottom,
                     .last_sweep = now};
        } else if (walked.is_empty && walked.was_swept && walked.epoch == lane->epoch) {
            *lane = p.lanes[--p.lane_count];
            return;
        }
        const bool is_as_it_was = walked.epoch == lane->epoch;
        lower(table, lane, walked.first_live);
        if (!walked.was_swept)
            lane->passed = walked.passed;
        if (walked.new_mark != 0 && (lane->mark == walked.mark || lane->mark == bottom)) {
            lane->mark = walked.new_mark;
            lane->mark_horizon = walked.new_mark_horizon;
        }
        if (walked.was_swept)
            note_sweep(lane, walked, now);
        if (is_as_it_was && walked.floor > lane->floor) {
            move.epoch = lane->epoch;
            move.floor = walked.floor;
            move.weak_horizon = walked.is_exact ? InvalidTransactionId : lane->mark_horizon;
        }
    });
    if (move.floor == bottom)
        return;
    pending_move* slot = find_pending(key, walked.lane);
    if (slot == nullptr && pending_count < max_pending) {
        slot = &pending[pending_count++];
        *slot = move;
    } else if (slot == nullptr) {
        return;
    } else if (slot->epoch != move.epoch) {
        *slot = move;
    }
    slot->floor = Max(slot->floor, move.floor);
    if (TransactionIdIsValid(move.weak_horizon))
        slot->weak_horizon = move.weak_horizon;
    for (int i = 0; i < walked.hole_count; ++i) {
        if (slot->hole_count < max_holes)
            slot->holes[slot->hole_count++] = walked.holes[i];
        else
            slot->floor = Min(slot->floor, walked.holes[i].at);
    }
}

TimestampTz next_sweep_of(const place_key& key) {
    TimestampTz next = DT_NOEND;
    with_place(key, false, [&next](place& p, place_table&) {
        for (int i = 0; i < p.lane_count; ++i)
            if (TransactionIdIsValid(p.lanes[i].weak_horizon))
                next = Min(next, sweep_time(p.lanes[i]));
    });
    return next;
}

void watch_places() {
    RegisterXactCallback(move_at_commit, nullptr);
    RegisterSubXactCallback(forget_at_rollback, nullptr);
}

const shared_part places_part = {"pgpubsub places", [] { return table_size(shared_sets()); },
                                 [](void* memory, bool is_new) {
                                     shared_table = static_cast<place_table*>(memory);
                                     if (is_new)
                                         fill(shared_table, shared_sets());
                                 }};

}  // namespace pgpubsub
