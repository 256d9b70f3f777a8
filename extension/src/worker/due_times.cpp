#include "worker/due_times.hpp"

#include "pg/hash_table.hpp"

namespace pgpubsub {
namespace {

due_times::entry* entry_of(pairingheap_node* node) {
    return reinterpret_cast<due_times::entry*>(reinterpret_cast<char*>(node) - offsetof(due_times::entry, node));
}

// Orders the heap by the earliest time: the first element of a pairing heap is the greatest.
int later_first(const pairingheap_node* a, const pairingheap_node* b, void*) {
    const TimestampTz left = entry_of(const_cast<pairingheap_node*>(a))->fires_at;
    const TimestampTz right = entry_of(const_cast<pairingheap_node*>(b))->fires_at;
    return (left < right) - (left > right);
}

}  // namespace

void due_times::begin() {
    if (context_ == nullptr)
        context_ = AllocSetContextCreate(TopMemoryContext, "pgpubsub due times", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(context_);
    by_channel_ = make_hash_table<int32, entry>("pgpubsub due times", context_, 64);
    heap_ = {.ph_compare = later_first, .ph_arg = nullptr, .ph_root = nullptr};
}

void due_times::note(int32 channel_id, TimestampTz due_at) {
    bool found;
    auto* const e = static_cast<entry*>(hash_search(by_channel_, &channel_id, HASH_ENTER, &found));
    if (found) {
        e->from = Min(e->from, due_at);
        if (e->fires_at <= due_at)
            return;
        pairingheap_remove(&heap_, &e->node);
    } else {
        e->from = due_at;
    }
    e->fires_at = due_at;
    pairingheap_add(&heap_, &e->node);
}

due_times::entry* due_times::first() {
    return pairingheap_is_empty(&heap_) ? nullptr : entry_of(pairingheap_first(&heap_));
}

void due_times::settle(int32 channel_id, TimestampTz from, TimestampTz fires_at) {
    auto* const e = static_cast<entry*>(hash_search(by_channel_, &channel_id, HASH_FIND, nullptr));
    if (e == nullptr)
        return;
    if (from == DT_NOEND) {
        pairingheap_remove(&heap_, &e->node);
        hash_search(by_channel_, &channel_id, HASH_REMOVE, nullptr);
        return;
    }
    e->from = from;
    postpone(e, fires_at);
}

void due_times::postpone(entry* e, TimestampTz fires_at) {
    pairingheap_remove(&heap_, &e->node);
    e->fires_at = fires_at;
    pairingheap_add(&heap_, &e->node);
}

}  // namespace pgpubsub
