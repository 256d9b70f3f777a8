// pgpubsub.requeue(): puts notifications that this transaction took back, with one attempt more.
//
// It is to take() what nack() is to claim(): the handler of one notification of a batch failed and was rolled back to
// its savepoint; the notification stays in the queue with its error, and the rest of the batch commits. In an ordered
// channel, those that the transaction took behind it with the same key go back too, untried, even when it becomes a dead letter: who
// works on a batch then need not know which of the two it was.
#include "archive.hpp"
#include "arguments.hpp"
#include "failure.hpp"
#include "later_wake_up.hpp"
#include "notification.hpp"
#include "stat_count.hpp"
#include "taken.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

namespace {

class requeuer {
public:
    explicit requeuer(const failure& f) : failure_(f), table_(notification_table::open()) {
        removed_ = table_slot_create(table_.heap(), nullptr);
    }

    void requeue(int64 id) {
        taken_notification* const taken = find_taken(id, table_.heap(), removed_);
        subscription s;
        channel c;
        if (taken == nullptr || !find_subscription(taken->subscription_id, &s) || !find_channel(s.channel_id, &c))
            return;
        check_privilege(c, GetUserId(), privilege::consume);

        row_values row = row_values::of(removed_);
        row.set(column::attempts, Int16GetDatum(row.next_attempt()));
        row.set_null(column::dedup_key);  // it no longer waits for the first time
        set_order_key(&row, c);           // the channel may have been altered since
        mark_requeued(taken);
        count_failed(s.id);
        if (is_dead(row, s, failure_)) {
            store_dead_letter(row, failure_.error);
        } else {
            prepare_retry(&row, s, failure_);
            table_.insert(row);
            wakes_.add(c, row);
        }
        put_back_behind(taken, c);
        wake_consumers(c);
    }

    int64 finish() {
        wakes_.flush();
        ExecDropSingleTupleTableSlot(removed_);
        table_.close();
        return count_;
    }

private:
    void put_back_behind(const taken_notification* taken, const channel& c) {
        for (const taken_notification* last = taken;;) {
            taken_notification* const next = find_taken_behind(last, table_.heap(), removed_);
            if (next == nullptr)
                return;
            row_values row = row_values::of(removed_);
            set_order_key(&row, c);
            make_ready(&row);
            row.set_null(column::dedup_key);  // there may be another one by now
            table_.insert(row);
            mark_requeued(next);
            last = next;
        }
    }

    void mark_requeued(taken_notification* taken) {
        taken->requeued_by = GetCurrentTransactionId();
        if (OidIsValid(taken->kept_at.file))
            forget_processed(taken->kept_at);
        count_processed(taken->subscription_id, -1);
        ++count_;
    }

    const failure& failure_;
    notification_table table_;
    TupleTableSlot* removed_;
    later_wake_up wakes_{};
    int64 count_ = 0;
};
static_assert(survives_longjmp<requeuer>);

}  // namespace

// The result is bigint, and integer in the catalog of 0.1.0, which takes the lower half of the same Datum.
PGPUBSUB_FUNCTION(pgpubsub_requeue) {
    PreventCommandIfReadOnly("pgpubsub.requeue()");
    // Null is what array_agg() makes of no ids.
    if (PG_ARGISNULL(0))
        PG_RETURN_INT64(0);
    const failure f = failure_arguments(fcinfo, 1);
    Datum* ids;
    bool* nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE, &ids, &nulls, &count);

    // What a take() in the same statement did is seen from here on.
    CommandCounterIncrement();
    requeuer work(f);
    for (int i = 0; i < count; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("notification id must not be null"));
        work.requeue(DatumGetInt64(ids[i]));
    }
    PG_RETURN_INT64(work.finish());
}
