// pgpubsub.redrive() and purge_dead_letters(): make dead letters ready again, or remove them.
//
// They act on the dead letters whose payload contains the filter, that died long enough ago, and whose ids are given.
// Each argument restricts the selection; a null argument does not. The exception is `ids`, where null selects nothing,
// as the result of array_agg() without rows. A dead letter that another transaction has locked or is changing is left
// to that transaction. The catalog of 0.1.0 has two forms of each function: one with ids, and one with all other
// arguments.
#include "channel/arguments.hpp"
#include "channel/channel_lock.hpp"
#include "channel/table_columns.hpp"
#include "pg/interval.hpp"
#include "queue/archive.hpp"
#include "queue/notification.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

struct selection {
    channel c;
    subscription s;
    std::span<const Datum> ids;
    bool by_ids;
    const Jsonb* filter;  // null: none
    TimestampTz died_by;
};

bool is_selected(const plain_scan& scan, const selection& wanted) {
    bool null;
    if (DatumGetTimestampTz(scan.get(archive_column::archived_at, &null)) > wanted.died_by)
        return false;
    return passes(scan.get(archive_column::payload, &null), wanted.filter);
}

// Calls act(scan) for the selected rows of the scan, and returns how often it returned true.
template <typename Act>
int64 for_each_in(plain_scan scan, const selection& wanted, MemoryContext per_row, Act act) {
    int64 count = 0;
    while (scan.next()) {
        CHECK_FOR_INTERRUPTS();
        count += with_context(per_row, [&] { return is_selected(scan, wanted) && act(scan); });
        MemoryContextReset(per_row);
    }
    scan.end();
    return count;
}

template <typename Act>
int64 for_each_selected(const selection& wanted, Act act) {
    const MemoryContext per_row =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub dead letter", ALLOCSET_DEFAULT_SIZES);
    // Makes the earlier effects of this statement visible.
    CommandCounterIncrement();
    if (!wanted.by_ids)
        return for_each_in(scan_dead_letters(wanted.s.id), wanted, per_row, act);
    int64 total = 0;
    for (const Datum id : wanted.ids) {
        total += for_each_in(scan_dead_letter(wanted.s.id, DatumGetInt64(id)), wanted, per_row, act);
        CommandCounterIncrement();  // the same id a second time finds nothing
    }
    return total;
}

// The forms of 0.1.0 have no argument ids; there, the forms with ids have symbols of their own.
struct redrive_arguments {
    enum : int { channel, filter, subscription, ids };
};
struct purge_dead_letters_arguments {
    enum : int { channel, filter, older_than, subscription, ids };
};
struct redrive_ids_arguments {
    enum : int { channel, ids, subscription };
};
using purge_dead_letters_ids_arguments = redrive_ids_arguments;

template <typename At>
selection selection_arguments(FunctionCallInfo fcinfo) {
    selection wanted{};
    wanted.c = get_queue_channel(text_argument(fcinfo, At::channel, "channel"), if_missing::look_for_another);
    wanted.c = get_channel_for_use(wanted.c.name, GetUserId(), privilege::consume);
    wanted.s = get_subscription(wanted.c, text_argument(fcinfo, At::subscription, "subscription"));
    wanted.died_by = DT_NOEND;
    return wanted;
}

// Restricts the selection to the given ids.
void select_ids(FunctionCallInfo fcinfo, int ids_at, selection* wanted) {
    wanted->by_ids = true;
    if (PG_ARGISNULL(ids_at))
        return;
    Datum* ids;
    bool* nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(ids_at), INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE, &ids, &nulls,
                      &count);
    for (int i = 0; i < count; ++i)
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("notification id must not be null"));
    wanted->ids = {ids, static_cast<std::size_t>(count)};
}

// Returns whether the argument ids has its default value: an array whose first index is 0, which no driver makes from a
// list. Null or an empty array could not be the default: a caller that looks for ids and finds none means none.
bool is_left_out(FunctionCallInfo fcinfo, int ids_at) {
    if (PG_ARGISNULL(ids_at))
        return false;
    ArrayType* const ids = PG_GETARG_ARRAYTYPE_P(ids_at);
    return ARR_NDIM(ids) == 1 && ARR_LBOUND(ids)[0] == 0;
}

void select_filtered(FunctionCallInfo fcinfo, int filter_at, selection* wanted) {
    wanted->filter = optional_jsonb_argument(fcinfo, filter_at);
}

void select_older(FunctionCallInfo fcinfo, int older_than_at, selection* wanted) {
    if (PG_ARGISNULL(older_than_at))
        return;
    const int64 age = microseconds_of(*PG_GETARG_INTERVAL_P(older_than_at));
    if (age < 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"older_than\" must not be negative"),
                errdetail("It is %s.", shown_interval(PG_GETARG_DATUM(older_than_at))));
    wanted->died_by = later_by(GetCurrentTimestamp(), -age);
}

template <typename At>
selection selection_by_ids(FunctionCallInfo fcinfo) {
    selection wanted = selection_arguments<At>(fcinfo);
    select_ids(fcinfo, At::ids, &wanted);
    return wanted;
}

selection redriven_selection(FunctionCallInfo fcinfo) {
    using at = redrive_arguments;
    selection wanted = selection_arguments<at>(fcinfo);
    select_filtered(fcinfo, at::filter, &wanted);
    if (PG_NARGS() > at::ids && !is_left_out(fcinfo, at::ids))
        select_ids(fcinfo, at::ids, &wanted);
    return wanted;
}

selection purged_selection(FunctionCallInfo fcinfo) {
    using at = purge_dead_letters_arguments;
    selection wanted = selection_arguments<at>(fcinfo);
    select_filtered(fcinfo, at::filter, &wanted);
    select_older(fcinfo, at::older_than, &wanted);
    if (PG_NARGS() > at::ids && !is_left_out(fcinfo, at::ids))
        select_ids(fcinfo, at::ids, &wanted);
    return wanted;
}

// Returns the row that a dead letter becomes. It points into the scan's present row.
row_values revived(const plain_scan& scan, const channel& c) {
    row_values row = row_values::empty();
    const auto copy = [&](AttrNumber to, AttrNumber from) {
        bool null;
        const Datum value = scan.get(from, &null);
        if (!null)
            row.set(to, value);
    };
    copy(column::id, archive_column::id);
    copy(column::created_at, archive_column::created_at);
    copy(column::subscription_id, archive_column::subscription_id);
    copy(column::priority, archive_column::priority);
    copy(column::payload, archive_column::payload);
    copy(column::key, archive_column::key);
    copy(column::headers, archive_column::headers);
    copy(column::db_version, archive_column::db_version);
    copy(column::deliver_at, archive_column::deliver_at);
    copy(column::last_error, archive_column::last_error);
    row.set(column::attempts, Int16GetDatum(0));
    set_order_key(&row, c);
    make_ready(&row);
    return row;
}

int64 redrive(FunctionCallInfo fcinfo, selection (*read)(FunctionCallInfo)) {
    PreventCommandIfReadOnly("pgpubsub.redrive()");
    notification_table table = notification_table::open();
    const selection wanted = read(fcinfo);
    const int64 redriven = for_each_selected(wanted, [&](plain_scan& scan) {
        if (!scan.remove(false))
            return false;
        table.insert(revived(scan, wanted.c));
        return true;
    });
    table.close();
    if (redriven > 0)
        wake_consumers(wanted.c);
    return redriven;
}

template <typename At>
int64 purge(FunctionCallInfo fcinfo, selection (*read)(FunctionCallInfo)) {
    PreventCommandIfReadOnly("pgpubsub.purge_dead_letters()");
    // A broadcast channel has no dead letters; then nothing is found, as purge_channel() may find nothing stored there.
    const channel c = get_channel(text_argument(fcinfo, At::channel, "channel"), if_missing::look_for_another);
    if (c.kind == channel_kind::broadcast) {
        check_privilege(c, GetUserId(), privilege::consume);
        return 0;
    }
    return for_each_selected(read(fcinfo), [](plain_scan& scan) { return scan.remove(false); });
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_redrive) { PG_RETURN_INT64(redrive(fcinfo, redriven_selection)); }
PGPUBSUB_FUNCTION(pgpubsub_redrive_0_2) { PG_RETURN_INT64(redrive(fcinfo, redriven_selection)); }
PGPUBSUB_FUNCTION(pgpubsub_redrive_ids) { PG_RETURN_INT64(redrive(fcinfo, selection_by_ids<redrive_ids_arguments>)); }
PGPUBSUB_FUNCTION(pgpubsub_purge_dead_letters) {
    PG_RETURN_INT64(purge<purge_dead_letters_arguments>(fcinfo, purged_selection));
}
PGPUBSUB_FUNCTION(pgpubsub_purge_dead_letters_0_2) {
    PG_RETURN_INT64(purge<purge_dead_letters_arguments>(fcinfo, purged_selection));
}
PGPUBSUB_FUNCTION(pgpubsub_purge_dead_letters_ids) {
    using at = purge_dead_letters_ids_arguments;
    PG_RETURN_INT64(purge<at>(fcinfo, selection_by_ids<at>));
}
