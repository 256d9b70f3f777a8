// Look-ups by key. They use what is known to be gone (key_memory.hpp), and learn it on the way.
#pragma once

#include "place/entry_reader.hpp"
#include "place/key_memory.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// For an index that has the ids: where the rows of a key begin.
class key_start {
public:
    // Returns where to begin to look for rows with ids from `first` on. The snapshot for that must be taken already.
    static key_start recall(const key_name& name, int64 first);
    // Returns the id at which a walk begins.
    int64 first() const { return Max(first_, known_.below()); }
    // Notes that the present entry of the scan led to no row. True: the walk must begin once more, and will learn.
    bool passed(const notification_scan& scan, int64 id, entry_reader* reader);
    // Notes that the walk has come to a row that is there. PG_INT64_MAX: the walk has come to the end of the key.
    void came_to(int64 id);

private:
    // After so many entries what is learned is stored, so that a walk that is cut short by a timeout was not in vain.
    static constexpr uint32 learned_at_once = 1000;

    known_key known_;
    int64 first_;
    uint32 passed_;
    bool learns_;
    bool has_end_;  // the end of the entries that are gone was found
    int64 end_;
};
static_assert(survives_longjmp<key_start>);

// For an index without ids: calls add(&found, slot, dirty) for each row of the key that a dirty snapshot sees, and
// returns `found`, which begins as Found{}.
// - add() returns true if the other rows don't matter.
// - open(snapshot) begins a scan for all rows of the key.
// - matches(slot) returns whether a row is one of them.
template <typename Found, typename Open, typename Matches, typename Add>
Found look_at_rows(const key_name& name, entry_reader* reader, Open open, Matches matches, Add add) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    known_key known;

    // First the pointers that are known are followed.
    constexpr int tries = 3;
    for (int i = 0; i < tries; ++i) {
        known = known_key::recall(name);
        if (!known.has_all_pointers())
            break;
        Found found{};
        bool is_enough = false;
        uint32 kept = 0;
        const std::span<ItemPointerData> pointers = known.pointers();
        const BlockNumber blocks = pointers.empty() ? 0 : RelationGetNumberOfBlocks(reader->heap_);
        for (const ItemPointerData& pointer : pointers) {
            if (ItemPointerGetBlockNumberNoCheck(&pointer) >= blocks)
                continue;
            bool is_of_key = false;
            bool is_other = false;
            reader->read(pointer, &dirty, [&](TupleTableSlot* slot) {
                (matches(slot) ? is_of_key : is_other) = true;
                if (is_of_key && !is_enough)
                    is_enough = add(&found, slot, dirty);
            });
            if (is_of_key || (!is_other && !reader->is_gone(pointer)))
                pointers[kept++] = pointer;
        }
        if (known.is_unchanged()) {
            if (kept < pointers.size())
                known.keep(kept);
            return found;
        }
    }

    // Otherwise the index is read.
    bool may_learn = !known.has_all_pointers();
    for (bool learns = false;;) {
        Found found{};
        bool is_enough = false;
        bool begins_again = false;
        uint32 passed = 0;
        uint32 count = 0;
        ItemPointerData pointers[known_pointers];
        notification_scan& scan = open(&dirty);
        while (!begins_again && (learns || !is_enough) && scan.next_entry()) {
            CHECK_FOR_INTERRUPTS();
            const ItemPointerData pointer = *scan.entry_tid();
            bool is_there = false;
            while (scan.fetch()) {
                is_there = true;
                if (!is_enough)
                    is_enough = add(&found, scan.slot(), dirty);
                if (!scan.has_more_versions())
                    break;
            }
            if (!learns) {
                if (!is_there && may_learn && ++passed > worth_knowing)
                    learns = begins_again = may_learn = known.begin_learning();
            } else if (is_there || (!scan.is_entry_dead() && !reader->is_gone(pointer))) {
                if (count < known_pointers)
                    pointers[count++] = pointer;
                else
                    learns = may_learn = false;
            }
        }
        if (begins_again)
            continue;
        if (learns)
            known.learned(std::span<const ItemPointerData>(pointers, count));
        return found;
    }
}

}  // namespace pgpubsub
