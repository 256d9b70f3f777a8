// pgpubsub.take() and pgpubsub.claim(): the oldest rows of a subscription, each to one caller.
//
// Guarantee: a row is given to one caller only. The first transaction that removes (take) or rewrites (claim) a row has
// it. A row that another transaction has locked or is changing is skipped, never waited for; therefore callers don't
// block each other, and no row is lost. A row that another transaction took after this statement's snapshot counts as
// gone, in REPEATABLE READ too. In an ordered channel, key_order.hpp decides which rows may be handed out.
//
// Steps: check the arguments and rights; claimer.hpp walks the rows; each row is removed or leased here, and handed
// out.
#include "channel/arguments.hpp"
#include "channel/table_columns.hpp"
#include "claim/claimer.hpp"
#include "claim/lease_owner.hpp"
#include "claim/taken.hpp"
#include "pure/receipt.hpp"
#include "queue/archive.hpp"
#include "queue/dedup.hpp"
#include "queue/notification.hpp"
#include "queue/stat_count.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

// The columns of the result of take(); claim() has one more.
namespace result_column {
enum { id, channel, payload, key, headers, created_at, deliver_at, priority, attempts, db_version, receipt, count };
}

// Returns a random number, each one once. Several are drawn together, since setting up the generator costs more than
// drawing them.
uint64 new_token() {
    static uint64 drawn[64];
    static int left = 0;
    if (left == 0) {
        if (!pg_strong_random(drawn, sizeof drawn))
            ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random receipt token"));
        left = lengthof(drawn);
    }
    return drawn[--left];
}

Datum detoasted(Datum value) { return PointerGetDatum(PG_DETOAST_DATUM(value)); }

void put_result(ReturnSetInfo* result, const row_values& row, Datum channel_name, const text* receipt_text) {
    Datum values[result_column::count];
    bool nulls[result_column::count] = {};
    const auto copy = [&](int to, AttrNumber from) {
        values[to] = row.get(from);
        nulls[to] = row.is_null(from);
    };
    copy(result_column::id, column::id);
    values[result_column::channel] = channel_name;
    // Large values are read in full: the row to which they belong is being removed.
    values[result_column::payload] = detoasted(row.get(column::payload));
    copy(result_column::key, column::key);
    copy(result_column::headers, column::headers);
    for (const int i : {int{result_column::key}, int{result_column::headers}})
        if (!nulls[i])
            values[i] = detoasted(values[i]);
    copy(result_column::created_at, column::created_at);
    copy(result_column::deliver_at, column::deliver_at);
    values[result_column::priority] = Int32GetDatum(DatumGetInt16(row.get(column::priority)));
    values[result_column::attempts] = Int32GetDatum(row.next_attempt());
    copy(result_column::db_version, column::db_version);
    if (receipt_text != nullptr)
        values[result_column::receipt] = PointerGetDatum(receipt_text);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// Returns the row with one attempt more: the attempt that begins now.
row_values attempted(const row_values& row) {
    row_values result = row;
    result.set(column::attempts, Int16GetDatum(row.next_attempt()));
    return result;
}

// Walks the rows and hands them out. Then tells the worker the outcome, so that the worker wakes no more consumers than
// there is work for. Rows that a filter skips may be for other consumers.
template <typename HandOut>
void hand_out_rows(notification_table& table, const claim_request& request, claim_mode mode, HandOut hand_out) {
    if (request.s.paused)
        return;
    if (request.filter == nullptr)
        note_claim_begun(request.c);
    claimer rows(table, request, mode, hand_out, may_spread(request.c));
    rows.run();
    if (rows.count() > 0)
        wake_consumers_on_abort(request.c);
    if (rows.has_more())
        spread_hint(request.c);
}

struct take_arguments {
    enum : int { channel, max_count, subscription, filter };
};
struct claim_arguments {
    enum : int { channel, max_count, lease, subscription, filter };
};

Datum take(FunctionCallInfo fcinfo, count_type type) {
    PreventCommandIfReadOnly("pgpubsub.take()");
    using at = take_arguments;
    const int max_count = count_argument(fcinfo, at::max_count, "max_count", type);
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    notification_table table = notification_table::open();
    const claim_request request = request_arguments<at>(fcinfo, channel_use::claims, max_count);
    const Datum channel_name = CStringGetTextDatum(request.c.name);
    const bool keeps_history = request.s.history > 0;
    int64 kept = 0;
    const auto hand_out = [&](ItemPointer tid, const row_values& row) {
        const TM_Result outcome = get_hold_of(table, tid, row, [&] { return table.remove(tid, false); });
        if (outcome == TM_Ok) {
            const processed_place place = keeps_history ? store_processed(attempted(row)) : processed_place{};
            kept += keeps_history;
            note_taken(row, tid, table.heap(), place);
            count_processed(request.s.id);
            put_result(result, row, channel_name, nullptr);
        }
        return outcome;
    };
    hand_out_rows(table, request, claim_mode::take, hand_out);
    if (keeps_history)
        sweep_processed(request.s, sweep_after(kept));
    table.close();
    return Datum{0};
}

Datum claim(FunctionCallInfo fcinfo, count_type type) {
    PreventCommandIfReadOnly("pgpubsub.claim()");
    using at = claim_arguments;
    const int max_count = count_argument(fcinfo, at::max_count, "max_count", type);
    const TimestampTz lease_end =
        deadline_argument(fcinfo, at::lease, "lease", GetCurrentTimestamp(), smallest_interval::above_zero);
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    notification_table table = notification_table::open();
    const claim_request request = request_arguments<at>(fcinfo, channel_use::claims, max_count);
    const Datum channel_name = CStringGetTextDatum(request.c.name);
    int64 claimed = 0;
    const auto hand_out = [&](ItemPointer tid, const row_values& row) {
        const TM_Result locked = get_hold_of(table, tid, row, [&] { return table.lock(tid); });
        if (locked != TM_Ok)
            return locked;
        const uint64 token = new_token();
        row_values leased = attempted(row);
        set_due(&leased, lease_end);
        leased.set(column::lease_token, Int64GetDatum(static_cast<int64>(token)));
        set_lease_owner(&leased);
        leased.set_null(column::dedup_key);  // it no longer waits
        const TM_Result outcome = table.update(tid, leased, true);
        if (outcome == TM_Ok) {
            count_lease(DatumGetInt64(row.get(column::id)));
            ++claimed;
            char buffer[receipt_max_length];
            const std::string_view receipt_text =
                format_receipt({DatumGetInt64(row.get(column::id)), token}, std::span{buffer});
            put_result(result, row, channel_name,
                       cstring_to_text_with_len(receipt_text.data(), static_cast<int>(receipt_text.size())));
        }
        return outcome;
    };
    hand_out_rows(table, request, claim_mode::lease, hand_out);
    if (claimed > 0)
        wake_consumers_at(request.c, lease_end);
    table.close();
    return Datum{0};
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_take) { return take(fcinfo, count_type::integer); }
PGPUBSUB_FUNCTION(pgpubsub_take_0_2) { return take(fcinfo, count_type::bigint); }
PGPUBSUB_FUNCTION(pgpubsub_claim) { return claim(fcinfo, count_type::integer); }
PGPUBSUB_FUNCTION(pgpubsub_claim_0_2) { return claim(fcinfo, count_type::bigint); }

// Planner support: take() and claim() return at most max_count rows, and exactly so many when the backlog is long.
PGPUBSUB_FUNCTION(pgpubsub_claim_support) {
    auto* const request = reinterpret_cast<Node*>(PG_GETARG_POINTER(0));
    if (!IsA(request, SupportRequestRows))
        return not_supported;
    auto* const rows = reinterpret_cast<SupportRequestRows*>(request);
    if (rows->node == nullptr || !IsA(rows->node, FuncExpr))
        return not_supported;
    const List* const arguments = reinterpret_cast<const FuncExpr*>(rows->node)->args;
    if (list_length(arguments) < 2)
        return not_supported;
    // A parameter whose value is known counts as a constant.
    const Node* const max_count = estimate_expression_value(rows->root, static_cast<Node*>(lsecond(arguments)));
    if (!IsA(max_count, Const) || reinterpret_cast<const Const*>(max_count)->constisnull)
        return not_supported;
    rows->rows =
        static_cast<double>(Max(DatumGetInt64(reinterpret_cast<const Const*>(max_count)->constvalue), int64{1}));
    PG_RETURN_POINTER(request);
}
