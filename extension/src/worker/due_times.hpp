// When the consumers of each channel are to be woken next: a heap with one entry for each channel.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

class due_times {
public:
    struct entry {
        int32 channel_id;  // the hash key
        TimestampTz fires_at;
        TimestampTz from;  // the earliest due time for which consumers have not been woken yet
        pairingheap_node node;
    };

    // Forgets all entries.
    void begin();
    // Notes that something of the channel is due at that time.
    void note(int32 channel_id, TimestampTz due_at);
    // Returns the entry that fires first; null if there is none.
    entry* first();
    TimestampTz first_time() { return first() == nullptr ? DT_NOEND : first()->fires_at; }
    // Records that nothing of the channel is due before `from`; DT_NOEND: nothing at all.
    void settle(int32 channel_id, TimestampTz from, TimestampTz fires_at);
    void postpone(entry* e, TimestampTz fires_at);

private:
    MemoryContext context_;
    HTAB* by_channel_;
    pairingheap heap_;
};
static_assert(survives_longjmp<due_times>);

}  // namespace pgpubsub
