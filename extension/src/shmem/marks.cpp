// A table with open addressing. A lock protects giving out and freeing entries. Finding and marking them needs no lock.
#include "shmem/marks.hpp"

#include "pg/settings.hpp"
#include "shmem/sessions.hpp"

namespace pgpubsub {

struct channel_mark {
    pg_atomic_uint64 channel;       // database and channel; 0: free; no_channel: freed
    pg_atomic_uint32 is_listed;     // whether the mark is in the list of its database
    pg_atomic_uint32 wanted;        // of is_hint, is_hint_for_waiting and is_spread
    pg_atomic_uint32 is_spreading;  // further consumers are about to be woken
    uint32 next;                    // the next one in the list: its position plus 1
    uint32 hash;                    // name_hash()
    pg_atomic_uint64 due_at;        // TimestampTz
    pg_atomic_uint64 last_claim;    // by steady_now()
};

namespace {

constexpr uint64 no_channel = 1;
constexpr uint32 max_probes = 64;

constexpr uint32 is_hint = 1;
constexpr uint32 is_hint_for_waiting = 2;
constexpr uint32 is_spread = 4;

struct mark_table {
    slock_t lock;
    uint32 size;  // a power of 2
    uint32 room;  // how many entries may be used
    pg_atomic_uint32 used;
    channel_mark marks[FLEXIBLE_ARRAY_MEMBER];
};

mark_table* table = nullptr;

uint32 table_size() { return pg_nextpower2_32(static_cast<uint32>(shared_channels()) * 2); }

uint64 key_of(int32 channel_id) { return (uint64{MyDatabaseId} << 32) | static_cast<uint32>(channel_id); }
Oid database_of(uint64 key) { return static_cast<Oid>(key >> 32); }

void attach(void* memory, bool is_new) {
    table = static_cast<mark_table*>(memory);
    if (!is_new)
        return;
    SpinLockInit(&table->lock);
    table->size = table_size();
    table->room = static_cast<uint32>(shared_channels());
    pg_atomic_init_u32(&table->used, 0);
    for (uint32 i = 0; i < table->size; ++i) {
        channel_mark& m = table->marks[i];
        pg_atomic_init_u64(&m.channel, 0);
        pg_atomic_init_u32(&m.is_listed, 0);
        pg_atomic_init_u32(&m.wanted, 0);
        pg_atomic_init_u64(&m.due_at, static_cast<uint64>(DT_NOEND));
        pg_atomic_init_u64(&m.last_claim, 0);
        pg_atomic_init_u32(&m.is_spreading, 0);
        m.next = m.hash = 0;
    }
}

// Returns where the search for the key begins.
uint32 start_of(uint64 key) {
    return hash_combine(murmurhash32(static_cast<uint32>(key)), murmurhash32(static_cast<uint32>(key >> 32)));
}

channel_mark* find(uint64 key) {
    const uint32 start = start_of(key);
    for (uint32 i = 0; i < max_probes; ++i) {
        channel_mark& m = table->marks[(start + i) & (table->size - 1)];
        const uint64 there = pg_atomic_read_u64(&m.channel);
        if (there == key)
            return &m;
        if (there == 0)
            break;
    }
    return nullptr;
}

// Makes a mark for the key. The caller holds the lock.
channel_mark* make(uint64 key, uint32 hash) {
    const uint32 start = start_of(key);
    for (uint32 i = 0; i < max_probes && pg_atomic_read_u32(&table->used) < table->room; ++i) {
        channel_mark& m = table->marks[(start + i) & (table->size - 1)];
        const uint64 there = pg_atomic_read_u64(&m.channel);
        // A freed mark may still be in a list.
        if (there > no_channel || pg_atomic_read_u32(&m.is_listed) != 0)
            continue;
        m.hash = hash;
        pg_atomic_write_u32(&m.wanted, 0);
        pg_atomic_write_u32(&m.is_spreading, 0);
        pg_atomic_write_u64(&m.due_at, static_cast<uint64>(DT_NOEND));
        pg_atomic_write_u64(&m.last_claim, 0);
        pg_write_barrier();
        pg_atomic_write_u64(&m.channel, key);
        pg_atomic_fetch_add_u32(&table->used, 1);
        return &m;
    }
    return nullptr;
}

bool is_still_there(const mark_place& at) {
    const bool is = at.mark != nullptr && pg_atomic_read_u64(&at.mark->channel) == at.channel;
    pg_read_barrier();
    return is;
}

// Puts the mark into the list if it is not there.
void put_into_list(shared_database* d, channel_mark* mark) {
    if (pg_atomic_exchange_u32(&mark->is_listed, 1) != 0)
        return;
    uint32 first = pg_atomic_read_u32(&d->first_mark);
    do
        mark->next = first;
    while (!pg_atomic_compare_exchange_u32(&d->first_mark, &first, static_cast<uint32>(mark - table->marks) + 1));
    // The session that found the list empty wakes the worker, on behalf of all that come before the worker looks.
    if (first == 0)
        wake_worker(d);
}

// Adds `what` to the mark, and puts the mark into the list; false if `what` was wanted already.
bool want(shared_database* d, channel_mark* mark, uint32 what) {
    const bool is_new =
        (pg_atomic_read_u32(&mark->wanted) & what) == 0 && (pg_atomic_fetch_or_u32(&mark->wanted, what) & what) == 0;
    pg_memory_barrier();
    put_into_list(d, mark);
    return is_new;
}

}  // namespace

const shared_part marks_part = {
    "pgpubsub marks",
    [] { return add_size(offsetof(mark_table, marks), mul_size(sizeof(channel_mark), table_size())); }, attach};

uint32 name_hash(Oid database, const char* name) {
    return hash_combine(hash_bytes(reinterpret_cast<const unsigned char*>(name), static_cast<int>(strlen(name))),
                        database);
}

mark_place find_mark(int32 channel_id, const char* name) {
    const uint64 key = key_of(channel_id);
    const uint32 hash = name_hash(MyDatabaseId, name);
    channel_mark* mark = find(key);
    if (mark == nullptr ? pg_atomic_read_u32(&table->used) < table->room : mark->hash != hash) {
        SpinLockAcquire(&table->lock);
        mark = find(key);
        if (mark == nullptr)
            mark = make(key, hash);
        else
            mark->hash = hash;  // the extension was made anew, and another channel has the number
        SpinLockRelease(&table->lock);
    }
    return {mark, key};
}

void set_mark(shared_database* d, const mark_place& at, audience who) {
    // The commit is visible before this looks for listeners. So a session that begins to listen later finds the work
    // when it then looks for some.
    pg_memory_barrier();
    if (!is_still_there(at)) {
        if (is_anybody_there())
            add_task(d, task::all_channels);
        return;
    }
    if ((who == audience::all ? count_interested(at.mark->hash) : count_waiting(at.mark->hash)) == 0)
        return;
    pg_atomic_fetch_add_u64(&d->hints, 1);
    if (!want(d, at.mark, who == audience::all ? is_hint : is_hint_for_waiting))
        pg_atomic_fetch_add_u64(&d->coalesced, 1);
}

bool may_spread(const mark_place& at) {
    return is_still_there(at) && count_interested(at.mark->hash) > 1 && pg_atomic_read_u32(&at.mark->is_spreading) == 0;
}

void set_spread(shared_database* d, const mark_place& at) {
    if (is_still_there(at) && pg_atomic_exchange_u32(&at.mark->is_spreading, 1) == 0)
        (void)want(d, at.mark, is_spread);
}

void begin_spread(channel_mark* mark) { pg_atomic_exchange_u32(&mark->is_spreading, 0); }

void set_due(shared_database* d, const mark_place& at, TimestampTz due_at) {
    if (!is_still_there(at)) {
        add_task(d, task::all_channels);
        return;
    }
    uint64 earliest = pg_atomic_read_u64(&at.mark->due_at);
    while (due_at < static_cast<TimestampTz>(earliest) &&
           !pg_atomic_compare_exchange_u64(&at.mark->due_at, &earliest, static_cast<uint64>(due_at))) {}
    pg_memory_barrier();
    put_into_list(d, at.mark);
}

void note_claim(const mark_place& at, int64 statement_start) {
    if (is_still_there(at) && static_cast<int64>(pg_atomic_read_u64(&at.mark->last_claim)) < statement_start)
        pg_atomic_write_u64(&at.mark->last_claim, static_cast<uint64>(statement_start));
}

uint32 take_marks(shared_database* d) { return pg_atomic_exchange_u32(&d->first_mark, 0); }

bool next_mark(uint32* place, taken_mark* taken) {
    while (*place != 0) {
        channel_mark& m = table->marks[*place - 1];
        *place = m.next;
        const uint64 channel = pg_atomic_read_u64(&m.channel);
        pg_atomic_exchange_u32(&m.is_listed, 0);
        // The mark was freed, and given to a channel of another database, while a session was about to put it into our
        // list.
        if (database_of(channel) != MyDatabaseId) {
            if (shared_database* const other = database_entry(database_of(channel)))
                put_into_list(other, &m);
            continue;
        }
        // From here on the mark may come into the list again. What is set from here on is kept for the next time, or is
        // read already now.
        const uint32 wanted = pg_atomic_exchange_u32(&m.wanted, 0);
        *taken = {&m,
                  static_cast<int32>(channel & PG_UINT32_MAX),
                  (wanted & is_hint) != 0,
                  (wanted & is_hint_for_waiting) != 0,
                  (wanted & is_spread) != 0,
                  static_cast<TimestampTz>(pg_atomic_exchange_u64(&m.due_at, static_cast<uint64>(DT_NOEND)))};
        return true;
    }
    return false;
}

int64 last_claim(const channel_mark* mark) {
    return static_cast<int64>(pg_atomic_read_u64(const_cast<pg_atomic_uint64*>(&mark->last_claim)));
}

void free_mark(channel_mark* mark, int32 channel_id) {
    SpinLockAcquire(&table->lock);
    if (pg_atomic_read_u64(&mark->channel) == key_of(channel_id)) {
        pg_atomic_write_u64(&mark->channel, no_channel);
        pg_atomic_fetch_sub_u32(&table->used, 1);
    }
    SpinLockRelease(&table->lock);
}

bool marks_are_scarce() { return pg_atomic_read_u32(&table->used) > table->room / 4 * 3; }

bool marks_are_full() { return pg_atomic_read_u32(&table->used) >= table->room; }

bool next_mark_of_ours(uint32* place, channel_mark** mark, int32* channel_id) {
    while (*place < table->size) {
        channel_mark& m = table->marks[(*place)++];
        const uint64 channel = pg_atomic_read_u64(&m.channel);
        if (channel > no_channel && database_of(channel) == MyDatabaseId) {
            *mark = &m;
            *channel_id = static_cast<int32>(channel & PG_UINT32_MAX);
            return true;
        }
    }
    return false;
}

void free_marks_of(shared_database* d) {
    const Oid database = pg_atomic_read_u32(&d->database);
    for (uint32 place = take_marks(d); place != 0;) {
        channel_mark& m = table->marks[place - 1];
        place = m.next;
        pg_atomic_exchange_u32(&m.is_listed, 0);
    }
    for (uint32 i = 0; i < table->size; ++i) {
        channel_mark& m = table->marks[i];
        if (database_of(pg_atomic_read_u64(&m.channel)) != database)
            continue;
        SpinLockAcquire(&table->lock);
        if (const uint64 channel = pg_atomic_read_u64(&m.channel);
            channel > no_channel && database_of(channel) == database) {
            pg_atomic_write_u64(&m.channel, no_channel);
            pg_atomic_fetch_sub_u32(&table->used, 1);
        }
        SpinLockRelease(&table->lock);
    }
}

}  // namespace pgpubsub
