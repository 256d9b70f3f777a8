// Each process of the server has one record, which only that process writes. Counters tell quickly that no session
// listens or waits.
#include "shmem/sessions.hpp"

#include "pg/hash_table.hpp"
#include "pure/steady_clock.hpp"
#include "shmem/marks.hpp"

namespace pgpubsub {
namespace {

struct session_record {
    slock_t lock;
    Oid database;  // InvalidOid: the session neither listens nor waits
    int pid;
    name_map listened;
    name_map awaited;
    pg_atomic_uint32 is_waiting;  // 0 once the session is woken
    pg_atomic_uint64 read_at;     // when the session, while it listened, last ended a transaction, by steady_now()
    pg_atomic_uint64 sent_at;     // when the first NOTIFY was sent that the session had not read by then
};

struct shared_sessions {
    pg_atomic_uint32 all;  // the sum of all counters that follow
    pg_atomic_uint32 listening[name_bits];
    pg_atomic_uint32 waiting[name_bits];
    session_record records[FLEXIBLE_ARRAY_MEMBER];
};

shared_sessions* shared = nullptr;
session_record* ours = nullptr;

// The hashes of the names that this session listens to, and how many of these names share a bit. Null if the session
// listens to none.
HTAB* listened = nullptr;
uint16 names_of_bit[name_bits];
bool is_awaiting = false;

// The names that UNLISTEN has given up in the present transaction. Names that do not fit here stay noted.
constexpr int max_unlistened = 64;
bool unlisten_all = false;
int unlistened_count = 0;
uint32 unlistened[max_unlistened];

int record_count() { return MaxBackends; }

void attach(void* memory, bool is_new) {
    shared = static_cast<shared_sessions*>(memory);
    if (!is_new)
        return;
    pg_atomic_init_u32(&shared->all, 0);
    for (uint32 i = 0; i < name_bits; ++i) {
        pg_atomic_init_u32(&shared->listening[i], 0);
        pg_atomic_init_u32(&shared->waiting[i], 0);
    }
    for (int i = 0; i < record_count(); ++i) {
        session_record& r = shared->records[i];
        SpinLockInit(&r.lock);
        r.database = InvalidOid;
        r.pid = 0;
        r.listened = r.awaited = {};
        pg_atomic_init_u32(&r.is_waiting, 0);
        pg_atomic_init_u64(&r.read_at, 0);
        pg_atomic_init_u64(&r.sent_at, 0);
    }
}

void count(pg_atomic_uint32 (&counters)[name_bits], uint32 hash, int32 by) {
    pg_atomic_fetch_add_u32(&counters[hash % name_bits], by);
    pg_atomic_fetch_add_u32(&shared->all, by);
}

void set_bit(name_map session_record::*map, uint32 hash) {
    SpinLockAcquire(&ours->lock);
    (ours->*map).set(hash);
    SpinLockRelease(&ours->lock);
}
void clear_bit(name_map session_record::*map, uint32 hash) {
    SpinLockAcquire(&ours->lock);
    (ours->*map).clear(hash);
    SpinLockRelease(&ours->lock);
}

// Stops noting the name as listened to. Allocates nothing.
void stop_listening(uint32 hash) {
    bool found = false;
    if (listened != nullptr)
        hash_search(listened, &hash, HASH_REMOVE, &found);
    if (!found || --names_of_bit[hash % name_bits] > 0)
        return;
    clear_bit(&session_record::listened, hash);
    count(shared->listening, hash, -1);
}

void stop_listening_to_all() {
    for (uint32 bit = 0; bit < name_bits; ++bit)
        if (names_of_bit[bit] > 0) {
            clear_bit(&session_record::listened, bit);
            count(shared->listening, bit, -1);
            names_of_bit[bit] = 0;
        }
    if (listened != nullptr)
        hash_destroy(listened);
    listened = nullptr;
}

void forget_session(int, Datum) {
    stop_listening_to_all();
    end_wait();
    SpinLockAcquire(&ours->lock);
    ours->database = InvalidOid;
    SpinLockRelease(&ours->lock);
    ours = nullptr;
}

bool has_record() {
    if (shared == nullptr || MyProc == nullptr || our_process() >= static_cast<uint32>(record_count()))
        return false;
    if (ours != nullptr)
        return true;
    before_shmem_exit(forget_session, 0);
    session_record* const record = &shared->records[our_process()];
    SpinLockAcquire(&record->lock);
    record->database = MyDatabaseId;
    record->pid = MyProcPid;
    record->listened = record->awaited = {};
    SpinLockRelease(&record->lock);
    pg_atomic_write_u64(&record->read_at, static_cast<uint64>(steady_now()));
    pg_atomic_write_u64(&record->sent_at, 0);
    ours = record;
    return true;
}

}  // namespace

const shared_part sessions_part = {
    "pgpubsub sessions",
    [] { return add_size(offsetof(shared_sessions, records), mul_size(sizeof(session_record), record_count())); },
    attach};

uint32 count_waiting(uint32 hash) { return pg_atomic_read_u32(&shared->waiting[hash % name_bits]); }
uint32 count_interested(uint32 hash) {
    return pg_atomic_read_u32(&shared->listening[hash % name_bits]) + count_waiting(hash);
}
bool is_anybody_there() { return pg_atomic_read_u32(&shared->all) != 0; }

void note_listen(const char* name) {
    if (!has_record())
        return;
    const uint32 hash = name_hash(MyDatabaseId, name);
    // A name for which the transaction has asked both stays noted.
    unlisten_all = false;
    for (int i = 0; i < unlistened_count; ++i)
        if (unlistened[i] == hash)
            unlistened[i--] = unlistened[--unlistened_count];
    if (listened == nullptr) {
        listened = make_hash_table<uint32, uint32>("pgpubsub listened names", TopMemoryContext, 16);
    }
    bool found;
    hash_search(listened, &hash, HASH_ENTER, &found);
    if (!found && names_of_bit[hash % name_bits]++ == 0) {
        count(shared->listening, hash, 1);
        set_bit(&session_record::listened, hash);
    }
}

void note_unlisten(const char* name) {
    if (ours == nullptr)
        return;
    if (name == nullptr)
        unlisten_all = true;
    else if (unlistened_count < max_unlistened)
        unlistened[unlistened_count++] = name_hash(MyDatabaseId, name);
}

void unlisten_at_commit() {
    if (unlisten_all)
        stop_listening_to_all();
    for (int i = 0; i < unlistened_count; ++i)
        stop_listening(unlistened[i]);
    forget_unlisten();
}

void forget_unlisten() {
    unlisten_all = false;
    unlistened_count = 0;
}

void begin_wait(std::span<const uint32> hashes) {
    if (!has_record())
        return;
    is_awaiting = true;
    for (const uint32 hash : hashes)
        if (!ours->awaited.has(hash)) {
            set_bit(&session_record::awaited, hash);
            count(shared->waiting, hash, 1);
        }
    wait_again();
}

bool was_woken() { return ours != nullptr && pg_atomic_read_u32(&ours->is_waiting) == 0; }

void wait_again() {
    if (ours != nullptr)
        pg_atomic_exchange_u32(&ours->is_waiting, 1);
}

void end_wait() {
    if (ours == nullptr || !is_awaiting)
        return;
    is_awaiting = false;
    pg_atomic_write_u32(&ours->is_waiting, 0);
    for (uint32 bit = 0; bit < name_bits; ++bit)
        if (ours->awaited.has(bit)) {
            clear_bit(&session_record::awaited, bit);
            count(shared->waiting, bit, -1);
        }
}

std::span<const interested_session> interested_sessions(Oid database) {
    std::size_t n = 0;
    for (int i = 0; i < record_count(); ++i)
        n += shared->records[i].database == database;
    auto* const sessions = static_cast<interested_session*>(palloc(Max(n, 1) * sizeof(interested_session)));
    const std::size_t capacity = n;
    n = 0;
    for (int i = 0; i < record_count() && n < capacity; ++i) {
        session_record& r = shared->records[i];
        if (r.database != database)
            continue;
        const bool is_waiting = pg_atomic_read_u32(&r.is_waiting) != 0;
        SpinLockAcquire(&r.lock);
        const bool is_here = r.database == database;
        sessions[n] = {static_cast<uint32>(i), r.pid, is_waiting, r.awaited, r.listened};
        SpinLockRelease(&r.lock);
        n += is_here;
    }
    return {sessions, n};
}

void note_read() {
    if (ours != nullptr && listened != nullptr)
        pg_atomic_write_u64(&ours->read_at, static_cast<uint64>(steady_now()));
}

void note_sent(std::span<const interested_session> sessions, int64 now) {
    for (const interested_session& s : sessions) {
        session_record& r = shared->records[s.process];
        if (s.listens() && pg_atomic_read_u64(&r.sent_at) <= pg_atomic_read_u64(&r.read_at))
            pg_atomic_write_u64(&r.sent_at, static_cast<uint64>(now));
    }
}

late_reader latest_reader(Oid database) {
    constexpr int64 patience = USECS_PER_SEC;
    late_reader latest{0, steady_now() - patience};
    for (const interested_session& s : interested_sessions(database)) {
        session_record& r = shared->records[s.process];
        const auto sent_at = static_cast<int64>(pg_atomic_read_u64(&r.sent_at));
        const auto read_at = static_cast<int64>(pg_atomic_read_u64(&r.read_at));
        if (s.listens() && sent_at > read_at && sent_at < latest.since)
            latest = {s.pid, sent_at};
    }
    return latest;
}

bool wake_waiting(const interested_session& who) {
    uint32 waiting = 1;
    if (!pg_atomic_compare_exchange_u32(&shared->records[who.process].is_waiting, &waiting, 0))
        return false;
    set_latch_of(who.process);
    return true;
}

}  // namespace pgpubsub
