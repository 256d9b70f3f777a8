// pgpubsub.requeue(): puts notifications that this transaction took back, with one attempt more.
//
// It is to take() what nack() is to claim(): the handler of one notification of a batch failed and was rolled back to
// its savepoint; the notification stays in the queue with its error, and the rest of the batch commits.
#include "arguments.hpp"
#include "notification.hpp"
#include "taken.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

namespace {

// The row as it goes back; it points into the slot.
row_values failed_row(TupleTableSlot* removed, const TimestampTz* due_at, const text* error) {
    row_values row = row_values::of(removed);
    row.set(column::attempts, Int16GetDatum(row.next_attempt()));
    row.set_null(column::lease_token);
    row.set_null(column::due_at);
    if (due_at != nullptr)
        row.set(column::due_at, TimestampTzGetDatum(*due_at));
    if (error != nullptr)
        row.set(column::last_error, PointerGetDatum(error));
    return row;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_requeue) {
    PreventCommandIfReadOnly("pgpubsub.requeue()");
    // Null is what array_agg() makes of no ids.
    if (PG_ARGISNULL(0))
        PG_RETURN_INT32(0);
    const TimestampTz now = GetCurrentTimestamp();
    const TimestampTz retry_at = deadline_argument(fcinfo, 1, "delay", now, smallest_interval::zero);
    const text* const error = PG_ARGISNULL(2) ? nullptr : PG_GETARG_TEXT_PP(2);
    Datum* ids;
    bool* nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE, &ids, &nulls, &count);

    int requeued = 0;
    notification_table table = notification_table::open();
    TupleTableSlot* const removed = table_slot_create(table.heap(), nullptr);
    for (int i = 0; i < count; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("notification id must not be null"));
        taken_notification* const taken = find_taken(DatumGetInt64(ids[i]), table.heap(), removed);
        if (taken == nullptr)
            continue;
        const row_values row = failed_row(removed, retry_at > now ? &retry_at : nullptr, error);
        channel c;
        if (!find_channel(DatumGetInt32(row.get(column::channel_id)), &c))
            continue;
        check_privilege(c, GetUserId(), privilege::consume);
        table.insert(row);
        taken->requeued_by = GetCurrentTransactionId();
        wake_consumers(c);
        ++requeued;
    }
    ExecDropSingleTupleTableSlot(removed);
    table.close();
    PG_RETURN_INT32(requeued);
}
