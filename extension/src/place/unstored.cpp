// Why all_stored_below() is right: a session makes its announcement before it draws a number, and withdraws it after it
// has stored the row. Take a session that reads the sequence as X, and then reads the announcements. For each id up to
// X it finds one of these:
// - The id was announced when the announcements were read. It bounds the result.
// - The row was stored before. An index that is read later has it.
//
// Ids above X do not count. The same goes for the clock.
#include "place/unstored.hpp"

#include "channel/catalog.hpp"
#include "place/place.hpp"
#include "shmem/databases.hpp"

namespace pgpubsub {
namespace {

constexpr uint64 nothing = PG_UINT64_MAX;
constexpr uint32 any_channel = 0;

struct announcement {
    pg_atomic_uint32 database;
    pg_atomic_uint32 channel;  // the channel whose ids are announced
    pg_atomic_uint64 id;
    pg_atomic_uint64 due_at;  // as uint64
};

struct shared_announcements {
    pg_atomic_uint64 latest_clock;  // the latest time by which any session has called times stored
    announcement of_process[FLEXIBLE_ARRAY_MEMBER];
};

shared_announcements* shared = nullptr;
announcement local;  // used without shared memory
pg_atomic_uint64 local_latest_clock;
bool local_is_made = false;

// The rest is of this session.
int id_level = 0;  // the level of the sub-transaction that has announced ids; 0: none has
bool id_is_exact = false;
int due_level = 0;
int64 last_id = 0;
Oid last_id_sequence = InvalidOid;

void make(announcement* a) {
    pg_atomic_init_u32(&a->database, InvalidOid);
    pg_atomic_init_u32(&a->channel, any_channel);
    pg_atomic_init_u64(&a->id, nothing);
    pg_atomic_init_u64(&a->due_at, nothing);
}

announcement& ours() {
    if (shared != nullptr && our_process() < static_cast<uint32>(MaxBackends))
        return shared->of_process[our_process()];
    if (!local_is_made) {
        make(&local);
        pg_atomic_init_u64(&local_latest_clock, 0);
        local_is_made = true;
    }
    return local;
}

pg_atomic_uint64& latest_clock() {
    ours();
    return shared != nullptr ? shared->latest_clock : local_latest_clock;
}

// Convert a time to a number, and back. The numbers are in the order of the times.
uint64 as_number(TimestampTz t) { return static_cast<uint64>(t) ^ (uint64{1} << 63); }
TimestampTz as_time(uint64 n) { return static_cast<TimestampTz>(n ^ (uint64{1} << 63)); }

// Withdraws what was announced in a sub-transaction of that level, or deeper. *announced_at: 0 if nothing is announced.
void withdraw(pg_atomic_uint64 announcement::*number, int* announced_at, int level) {
    if (*announced_at == 0 || *announced_at < level)
        return;
    pg_memory_barrier();
    pg_atomic_write_u64(&(ours().*number), nothing);
    *announced_at = 0;
}

void withdraw_all(int level) {
    withdraw(&announcement::id, &id_level, level);
    withdraw(&announcement::due_at, &due_level, level);
}

void at_transaction_end(XactEvent event, void*) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        withdraw_all(0);
}

void at_rollback(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        withdraw_all(GetCurrentTransactionNestLevel());
}

}  // namespace

bool announce_ids(int32 channel_id) {
    announcement& a = ours();
    if (id_level > 0) {
        if (pg_atomic_read_u32(&a.channel) != static_cast<uint32>(channel_id))
            pg_atomic_write_u32(&a.channel, any_channel);
        return false;
    }
    if (const Oid sequence = our_catalog().notification_id_seq; sequence != last_id_sequence) {
        last_id_sequence = sequence;
        last_id = 0;
    }
    pg_atomic_write_u32(&a.database, MyDatabaseId);
    pg_atomic_write_u32(&a.channel, static_cast<uint32>(channel_id));
    pg_write_barrier();
    pg_atomic_write_u64(&a.id, static_cast<uint64>(last_id + 1));
    pg_memory_barrier();
    id_level = GetCurrentTransactionNestLevel();
    id_is_exact = false;
    return true;
}

void ids_are_stored() { withdraw(&announcement::id, &id_level, 0); }

int64 draw_id() {
    GetTopTransactionId();  // first: see place.hpp
    shared_database* const d = our_database();
    const uint64 latest = d != nullptr ? pg_atomic_read_u64(&d->latest_id) : 0;
    const int64 id = draw_number(our_catalog().notification_id_seq);
    const bool was_set_back = id <= last_id || static_cast<uint64>(id) <= latest;  // the sequence was set back
    if (d != nullptr && (was_set_back || static_cast<uint64>(id) > pg_atomic_read_u64(&d->latest_id)))
        pg_atomic_write_u64(&d->latest_id, static_cast<uint64>(id));
    last_id = id;
    if (id_level > 0 && (!id_is_exact || was_set_back)) {  // the first id that is drawn is the lowest
        pg_atomic_write_u64(&ours().id, static_cast<uint64>(last_id));
        id_is_exact = true;
    }
    if (was_set_back)  // after the announcement: a walk that remembers a range from now on knows of the id
        forget_places();
    return last_id;
}

TimestampTz announce_due() {
    GetTopTransactionId();  // first: see place.hpp
    if (due_level > 0)
        return GetCurrentTimestamp();
    announcement& a = ours();
    pg_atomic_write_u32(&a.database, MyDatabaseId);
    pg_write_barrier();
    pg_atomic_write_u64(&a.due_at, 0);
    pg_memory_barrier();
    due_level = GetCurrentTransactionNestLevel();
    const uint64 before = pg_atomic_read_u64(&latest_clock());
    pg_memory_barrier();
    const TimestampTz now = GetCurrentTimestamp();
    if (as_number(now) < before) {  // the clock was set back
        pg_atomic_write_u64(&latest_clock(), as_number(now));
        forget_places();
    }
    pg_atomic_write_u64(&a.due_at, as_number(now));
    return now;
}

void due_is_stored() { withdraw(&announcement::due_at, &due_level, 0); }

// Returns the last id that was drawn by any session.
int64 last_drawn_id() {
    const Relation sequence = open_our_sequence(our_catalog().notification_id_seq, AccessShareLock);
    const Buffer buffer = ReadBuffer(sequence, 0);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    HeapTupleData tuple;
    tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, PageGetItemId(page, FirstOffsetNumber)));
    const auto* const state = reinterpret_cast<const FormData_pg_sequence_data*>(GETSTRUCT(&tuple));
    const int64 last = state->is_called ? state->last_value : state->last_value - 1;
    UnlockReleaseBuffer(buffer);
    relation_close(sequence, AccessShareLock);
    return last;
}

stored_below all_stored_below(int32 channel_id, TimestampTz now) {
    const int64 next_id = last_drawn_id() + 1;
    stored_below result = {next_id, now, next_id};
    if (pg_atomic_read_u64(&latest_clock()) < as_number(now))
        pg_atomic_write_u64(&latest_clock(), as_number(now));
    pg_memory_barrier();
    const auto look_at = [&](announcement& a) {
        const uint64 id = pg_atomic_read_u64(&a.id);
        const uint64 due_at = pg_atomic_read_u64(&a.due_at);
        if (id == nothing && due_at == nothing)
            return;
        pg_read_barrier();
        if (pg_atomic_read_u32(&a.database) != MyDatabaseId)
            return;
        const uint32 channel = pg_atomic_read_u32(&a.channel);
        if (id != nothing && (channel == any_channel || channel == static_cast<uint32>(channel_id)))
            result.id = Min(result.id, static_cast<int64>(id));
        if (due_at != nothing)
            result.due_at = Min(result.due_at, as_time(due_at));
    };
    if (shared == nullptr) {
        look_at(ours());
    } else {
        for (int i = 0; i < MaxBackends; ++i)
            look_at(shared->of_process[i]);
    }
    pg_memory_barrier();
    return result;
}

void watch_unstored() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_rollback, nullptr);
}

const shared_part unstored_part = {
    "pgpubsub unstored", [] { return offsetof(shared_announcements, of_process) + MaxBackends * sizeof(announcement); },
    [](void* memory, bool is_new) {
        shared = static_cast<shared_announcements*>(memory);
        if (!is_new)
            return;
        pg_atomic_init_u64(&shared->latest_clock, 0);
        for (int i = 0; i < MaxBackends; ++i)
            make(&shared->of_process[i]);
    }};

}  // namespace pgpubsub
