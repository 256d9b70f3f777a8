#include "worker/prepared_hints.hpp"

namespace pgpubsub {
namespace {

constexpr int64 shortest_pause = 10'000;
constexpr int64 longest_pause = 300'000;

// In TopMemoryContext.
prepared_hint* list = nullptr;
int count = 0;
int capacity = 0;
int64 since = 0;  // when the last hint was added
int64 next_look = never;

void add(const prepared_hint& hint) {
    if (count == capacity) {
        const int wanted = Max(2 * capacity, 64);
        list = static_cast<prepared_hint*>(list == nullptr
                                               ? MemoryContextAlloc(TopMemoryContext, wanted * sizeof(prepared_hint))
                                               : repalloc(list, wanted * sizeof(prepared_hint)));
        capacity = wanted;
    }
    list[count++] = hint;
    since = next_look = steady_now();
}

}  // namespace

void find_prepared() {
    if (max_prepared_xacts == 0)
        return;
    int left = 0;
    for (int i = 0; i < count; ++i)
        if (list[i].channel_id != 0)
            list[left++] = list[i];
    count = left;
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
    SPI_connect();
    if (SPI_execute("SELECT transaction FROM pg_catalog.pg_prepared_xacts WHERE database OPERATOR(pg_catalog.=) "
                    "pg_catalog.current_database()",
                    true, 0) != SPI_OK_SELECT)
        ereport(ERROR, errmsg_internal("the prepared transactions can't be read"));
    for (uint64 i = 0; i < SPI_processed; ++i) {
        bool null;
        const Datum xid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null);
        if (!null)
            add({DatumGetTransactionId(xid), 0});
    }
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
}

void collect_prepared(shared_database* d) {
    prepared_hint noted[lengthof(decltype(d->prepared){})];
    SpinLockAcquire(&d->lock);
    const int n = d->prepared_count;
    memcpy(noted, d->prepared, n * sizeof(prepared_hint));
    const bool overflow = d->prepared_overflow;
    d->prepared_count = 0;
    d->prepared_overflow = false;
    SpinLockRelease(&d->lock);
    for (int i = 0; i < n; ++i)
        add(noted[i]);
    if (overflow)
        find_prepared();
}

int64 next_look_at_prepared() { return count == 0 ? never : next_look; }

void end_prepared(void (*hint)(int32)) {
    const int64 now = steady_now();
    if (count == 0 || now < next_look)
        return;
    int left = 0;
    for (int i = 0; i < count; ++i) {
        const prepared_hint p = list[i];
        if (TransactionIdIsValid(p.xid) && TransactionIdIsInProgress(p.xid))
            list[left++] = p;
        else
            hint(p.channel_id);
    }
    count = left;
    // The longer a transaction has been prepared, the longer it may still stay so.
    next_look = now + Max(shortest_pause, Min((now - since) / 10, longest_pause));
}

}  // namespace pgpubsub
