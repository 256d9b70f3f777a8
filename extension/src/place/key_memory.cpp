// A table of sets of a few keys. Each set has a lock, which is held for less than a microsecond. A full set forgets the
// key that was not used for the longest time. Nothing is reported to a set that never had a key: most publishers of
// ordered channels find such a set.
#include "place/key_memory.hpp"

#include "pg/settings.hpp"
#include "place/place.hpp"

#include <algorithm>

namespace pgpubsub {
namespace {

constexpr uint8 is_digest = sizeof(key_name::key) + 1;
constexpr int64 nothing_known = PG_INT64_MIN;
constexpr int64 nothing_left = PG_INT64_MAX;

struct key_slot {
    key_name name;
    uint64 generation;  // 0: the slot is free
    uint64 changes;     // another number after each report
    uint64 learning;    // the number of the walk that is to find out, which several walks may share; 0: none
    uint32 used;        // the higher, the later
    int64 below;
    int64 lowest_reported;  // the lowest id that was reported since learning has begun
    // While `has_all` is false, the pointers are those that were reported since learning has begun.
    bool has_all;
    bool has_too_many;
    uint32 count;
    uint32 count_before;  // the count when learning began
    ItemPointerData pointers[known_pointers];

    // Adds a pointer behind the others.
    void add(const ItemPointerData& pointer) {
        const auto is_same = [&pointer](const ItemPointerData& other) {
            return ItemPointerEquals(const_cast<ItemPointer>(&other), const_cast<ItemPointer>(&pointer));
        };
        if (ItemPointerData* const same = std::find_if(pointers, pointers + count, is_same); same != pointers + count) {
            count_before -= same < pointers + count_before;
            std::rotate(same, same + 1, pointers + count);
        } else if (count == known_pointers) {
            has_all = false;
            has_too_many = true;
        } else {
            pointers[count++] = pointer;
        }
    }
    void drop_those_before() {
        std::copy(pointers + count_before, pointers + count, pointers);
        count -= count_before;
        count_before = 0;
    }
};

constexpr int ways = 8;

struct key_set {
    slock_t lock;
    pg_atomic_uint32 is_used;
    uint32 uses;
    uint64 numbers;  // each is given once
    key_slot slots[ways];
};

struct key_table {
    uint32 count;
    key_set sets[FLEXIBLE_ARRAY_MEMBER];
};

key_table* table = nullptr;

uint32 set_count() { return static_cast<uint32>(Max(shared_channels() / 16, 16)); }

bool is_same(const key_name& a, const key_name& b) { return memcmp(&a, &b, sizeof a) == 0; }

key_set& set_of(const key_name& name) {
    return table->sets[hash_bytes(reinterpret_cast<const unsigned char*>(&name), sizeof name) % table->count];
}

key_slot* find(key_set& set, const key_name& name, uint64 generation) {
    for (key_slot& slot : set.slots)
        if (slot.generation == generation && is_same(slot.name, name))
            return &slot;
    return nullptr;
}

key_slot* make(key_set& set, const key_name& name, uint64 generation) {
    key_slot* oldest = &set.slots[0];
    for (key_slot& slot : set.slots)
        if (slot.generation != generation ||
            (oldest->generation == generation && set.uses - slot.used > set.uses - oldest->used))
            oldest = &slot;
    *oldest = {};
    oldest->name = name;
    oldest->generation = generation;
    oldest->changes = ++set.numbers;  // unlike any copy of an earlier slot of that name
    oldest->below = nothing_known;
    return oldest;
}

// Calls f(set, slot) with the slot of that name locked, if there is one. f must neither report an error nor take long.
template <typename F>
void with_slot(const key_name& name, uint64 generation, F f) {
    key_set& set = set_of(name);
    SpinLockAcquire(&set.lock);
    if (key_slot* const slot = find(set, name, generation))
        f(set, *slot);
    SpinLockRelease(&set.lock);
}

// On a standby nobody reports.
bool remembers() { return table != nullptr && max_skip_time() > 0 && !RecoveryInProgress(); }

}  // namespace

bool knows_keys() { return table != nullptr; }

key_name key_name_of(Relation heap, key_index index, int32 subscription_id, int64 order_key) {
    key_name name{};
    name.database = MyDatabaseId;
    name.file = heap->rd_rel->relfilenode;
    name.subscription_id = subscription_id;
    name.index = index;
    name.key_size = sizeof order_key;
    memcpy(name.key, &order_key, sizeof order_key);
    return name;
}

key_name key_name_of(Relation heap, int32 subscription_id, const text* dedup_key) {
    key_name name = key_name_of(heap, key_index::dedup, subscription_id, 0);
    const std::size_t size = VARSIZE_ANY_EXHDR(dedup_key);
    if (size <= sizeof name.key) {
        name.key_size = static_cast<uint8>(size);
        memset(name.key, 0, sizeof name.key);
        memcpy(name.key, VARDATA_ANY(dedup_key), size);
    } else {
        name.key_size = is_digest;
        const Datum digest = DirectFunctionCall1(sha256_bytea, PointerGetDatum(dedup_key));
        memcpy(name.key, VARDATA_ANY(DatumGetPointer(digest)), sizeof name.key);
        pfree(DatumGetPointer(digest));
    }
    return name;
}

key_name name_of_waiting(Relation heap, int32 subscription_id) {
    return key_name_of(heap, key_index::due, subscription_id, 0);
}

void key_is_stored(const key_name& name, int64 id, ItemPointer pointer) {
    pg_memory_barrier();  // the entry is there before this is read; begin_learning() does it in the opposite order
    if (pg_atomic_read_u32(&set_of(name).is_used) == 0)
        return;
    with_slot(name, places_generation(), [&](key_set& set, key_slot& slot) {
        slot.changes = ++set.numbers;
        slot.below = Min(slot.below, id);
        slot.lowest_reported = Min(slot.lowest_reported, id);
        if (pointer != nullptr)
            slot.add(*pointer);
    });
}

known_key known_key::recall(const key_name& name) {
    known_key known{};
    known.name_ = name;
    known.below_ = nothing_known;
    if (!remembers())
        return known;
    known.generation_ = places_generation();
    pg_memory_barrier();
    with_slot(name, known.generation_, [&known](key_set& set, key_slot& slot) {
        slot.used = ++set.uses;
        known.changes_ = slot.changes;
        known.below_ = slot.below;
        known.has_all_ = slot.has_all;
        known.count_ = slot.has_all ? slot.count : 0;
        memcpy(known.pointers_, slot.pointers, known.count_ * sizeof(ItemPointerData));
    });
    return known;
}

bool known_key::is_unchanged() const {
    bool is_same = false;
    pg_memory_barrier();
    with_slot(name_, generation_, [&](key_set&, key_slot& slot) { is_same = slot.changes == changes_; });
    return is_same && places_generation() == generation_;
}

void known_key::keep(uint32 count) {
    with_slot(name_, generation_, [&](key_set&, key_slot& slot) {
        if (slot.changes != changes_ || !slot.has_all)
            return;
        memcpy(slot.pointers, pointers_, count * sizeof(ItemPointerData));
        slot.count = count;
        slot.count_before = 0;
    });
}

bool known_key::begin_learning() {
    if (!remembers())
        return false;
    generation_ = places_generation();
    key_set& set = set_of(name_);
    SpinLockAcquire(&set.lock);
    key_slot* slot = find(set, name_, generation_);
    if (slot == nullptr)
        slot = make(set, name_, generation_);
    slot->used = ++set.uses;
    if (slot->learning == 0) {
        slot->learning = ++set.numbers;
        slot->lowest_reported = PG_INT64_MAX;
        if (!slot->has_all) {
            slot->has_too_many = false;
            slot->count = 0;
        }
        slot->count_before = slot->count;
    }
    learning_ = slot->learning;
    below_ = slot->below;
    pg_atomic_write_u32(&set.is_used, 1);
    SpinLockRelease(&set.lock);
    pg_memory_barrier();
    return true;
}

void known_key::learned_so_far(int64 below) {
    with_slot(name_, generation_, [&](key_set&, key_slot& slot) {
        if (slot.learning == learning_)
            slot.below = Max(slot.below, Min(below, slot.lowest_reported));
    });
}

void known_key::learned(int64 below) {
    learned_so_far(below);
    with_slot(name_, generation_, [=, this](key_set&, key_slot& slot) {
        if (slot.learning != learning_)
            return;
        slot.learning = 0;
        if (below != nothing_left || slot.has_too_many)
            return;
        // The key has no rows but those that were reported meanwhile.
        slot.has_all = true;
        slot.drop_those_before();
    });
}

void known_key::learned(std::span<const ItemPointerData> pointers) {
    with_slot(name_, generation_, [&](key_set&, key_slot& slot) {
        if (slot.learning != learning_)
            return;
        slot.learning = 0;
        if (slot.has_all)
            return;
        for (const ItemPointerData& pointer : pointers)
            slot.add(pointer);
        slot.has_all = !slot.has_too_many;
    });
}

const shared_part key_memory_part = {"pgpubsub keys",
                                     [] { return offsetof(key_table, sets) + set_count() * sizeof(key_set); },
                                     [](void* memory, bool is_new) {
                                         table = static_cast<key_table*>(memory);
                                         if (!is_new)
                                             return;
                                         memset(memory, 0, offsetof(key_table, sets) + set_count() * sizeof(key_set));
                                         table->count = set_count();
                                         for (uint32 i = 0; i < table->count; ++i) {
                                             SpinLockInit(&table->sets[i].lock);
                                             pg_atomic_init_u32(&table->sets[i].is_used, 0);
                                         }
                                     }};

}  // namespace pgpubsub
