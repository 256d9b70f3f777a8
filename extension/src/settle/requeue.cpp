// pgpubsub.requeue(): puts notifications that this transaction took back into the queue, with one attempt more.
//
// It is to take() what nack() is to claim(). The handler of one notification of a batch failed and was rolled back to
// its savepoint; the notification stays in the queue with its error, and the rest of the batch commits. In an ordered
// channel, later notifications of the same key that the transaction took also go back, untried, even if the failed one
// becomes a dead letter. A consumer that works on a batch then need not know which of the two happened.
//
// Steps: find the copies that the ids name; put back each of them as failed; then put back the notifications taken
// behind them. So each named notification counts as failed, wherever in the array it is named.
#include "channel/arguments.hpp"
#include "channel/table_columns.hpp"
#include "claim/taken.hpp"
#include "queue/archive.hpp"
#include "queue/failure.hpp"
#include "queue/notification.hpp"
#include "queue/stat_count.hpp"
#include "settle/later_wake_up.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

class requeuer {
public:
    explicit requeuer(const failure& f) : failure_(f), table_(notification_table::open()) {
        removed_ = table_slot_create(table_.heap(), nullptr);
    }

    // Notes the takes of that id: for the subscription with that name or, if the name is null, for all subscriptions.
    void name(int64 id, const char* subscription_name) {
        for (taken_notification* taken = find_taken(id, nullptr); taken != nullptr; taken = find_taken(id, taken)) {
            subscription s;
            if (is_still_taken(*taken) &&
                (subscription_name == nullptr ||
                 (find_subscription(taken->subscription_id, &s) && strcmp(s.name, subscription_name) == 0)))
                named_ = lappend(named_, taken);
        }
    }

    // Puts back the noted notifications, and the ones taken behind them.
    void requeue_named() {
        list_sort(named_, by_key);
        const ListCell* cell;
        foreach (cell, named_) {
            CHECK_FOR_INTERRUPTS();
            requeue(static_cast<taken_notification*>(lfirst(cell)));
        }
        // The notifications behind the first one of a key include those behind the others.
        const taken_notification* before = nullptr;
        foreach (cell, named_) {
            const auto* const taken = static_cast<const taken_notification*>(lfirst(cell));
            if (taken->is_ordered && (before == nullptr || !is_same_key(*before, *taken)))
                put_back_behind(taken);
            before = taken;
        }
    }

    int64 finish() {
        wakes_.flush();
        ExecDropSingleTupleTableSlot(removed_);
        table_.close();
        return count_;
    }

private:
    static bool is_same_key(const taken_notification& a, const taken_notification& b) {
        return a.subscription_id == b.subscription_id && a.is_ordered == b.is_ordered && a.order_key == b.order_key;
    }

    // Sorts by key; the notifications of one key by the order of taking.
    static int by_key(const ListCell* a, const ListCell* b) {
        const auto* const left = static_cast<const taken_notification*>(lfirst(a));
        const auto* const right = static_cast<const taken_notification*>(lfirst(b));
        if (left->subscription_id != right->subscription_id)
            return left->subscription_id < right->subscription_id ? -1 : 1;
        if (left->order_key != right->order_key)
            return left->order_key < right->order_key ? -1 : 1;
        return (left > right) - (left < right);
    }

    static bool find_home(const taken_notification& taken, subscription* s, channel* c) {
        return find_subscription(taken.subscription_id, s) && find_channel(s->channel_id, c);
    }

    void requeue(taken_notification* taken) {
        subscription s;
        channel c;
        // A notification that the array names twice is already back.
        if (!is_still_taken(*taken) || !fetch_taken(*taken, table_.heap(), removed_) || !find_home(*taken, &s, &c))
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
        wake_consumers(c);
    }

    void put_back_behind(const taken_notification* taken) {
        subscription s;
        channel c;
        if (!find_home(*taken, &s, &c))
            return;
        for (taken_notification* next = find_taken_behind(taken); next != nullptr; next = find_taken_behind(next)) {
            CHECK_FOR_INTERRUPTS();
            if (!is_still_taken(*next) || !fetch_taken(*next, table_.heap(), removed_))
                continue;
            row_values row = row_values::of(removed_);
            set_order_key(&row, c);
            make_ready(&row);
            row.set_null(column::dedup_key);  // another row may have this dedup_key by now
            table_.insert(row);
            mark_requeued(next);
        }
    }

    void mark_requeued(taken_notification* taken) {
        taken->requeued_by = GetCurrentTransactionId();
        if (OidIsValid(taken->kept_at.file))
            forget_processed(taken->kept_at, taken->subscription_id, taken->id);
        count_processed(taken->subscription_id, -1);
        ++count_;
    }

    const failure& failure_;
    notification_table table_;
    TupleTableSlot* removed_;
    List* named_ = NIL;  // of taken_notification*
    later_wake_up wakes_{};
    int64 count_ = 0;
};
static_assert(survives_longjmp<requeuer>);

}  // namespace

struct requeue_arguments {
    enum : int { ids, delay, error, reject, subscription };
};

// The result is bigint. In the catalog of 0.1.0 it is integer, which takes the lower half of the same Datum.
PGPUBSUB_FUNCTION(pgpubsub_requeue) {
    PreventCommandIfReadOnly("pgpubsub.requeue()");
    using at = requeue_arguments;
    // array_agg() without rows returns null.
    if (PG_ARGISNULL(at::ids))
        PG_RETURN_INT64(0);
    const failure f = failure_arguments<at>(fcinfo);
    Datum* ids;
    bool* nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(at::ids), INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE, &ids, &nulls,
                      &count);

    // The catalog of 0.1.0 has no argument subscription.
    const char* const subscription_name = PG_NARGS() <= at::subscription || PG_ARGISNULL(at::subscription)
                                              ? nullptr
                                              : text_to_cstring(PG_GETARG_TEXT_PP(at::subscription));

    // Makes the effects of a take() in the same statement visible.
    CommandCounterIncrement();
    requeuer work(f);
    for (int i = 0; i < count; ++i) {
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("notification id must not be null"));
        work.name(DatumGetInt64(ids[i]), subscription_name);
    }
    work.requeue_named();
    PG_RETURN_INT64(work.finish());
}
