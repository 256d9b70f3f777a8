// pgpubsub.take() and pgpubsub.claim(): the oldest rows of a channel, each to one caller.
//
// Guarantee: a row is given to one caller. Who removes (take) or rewrites (claim) a row first has it, and a row that
// another transaction is at is skipped, never waited for; so callers don't block each other and none can
// be lost. A row that another one took after this statement's snapshot counts as gone, in REPEATABLE READ too.
//
// Steps: guards; walk the claimable rows; remove or lease each; hand it out; until there are enough.
#include "arguments.hpp"
#include "catalog.hpp"
#include "channel.hpp"
#include "claimable.hpp"
#include "notification.hpp"
#include "receipt.hpp"
#include "taken.hpp"

using namespace pgpubsub;

namespace {

// The columns of the result of take(); claim() has one more.
namespace result_column {
enum { id, channel, payload, key, headers, created_at, deliver_at, priority, attempts, db_version, receipt, count };
}

uint64 new_token() {
    uint64 token;
    if (!pg_strong_random(&token, sizeof token))
        ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random receipt token"));
    return token;
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
    // Large values in full: the row that they belong to is being removed.
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

// Walks the claimable rows and calls attempt(tid, row) until it has returned TM_Ok max_count times; each time it does,
// emit(row) hands the row out.
template <typename Attempt, typename Emit>
void claim_rows(notification_table& table, int32 channel_id, int max_count, Attempt attempt, Emit emit) {
    const MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub claim", ALLOCSET_DEFAULT_SIZES);
    claimable_rows rows = claimable_rows::begin(table, channel_id, max_count);
    ItemPointerData tid;
    row_values row;
    for (int count = 0; count < max_count && rows.next(&tid, &row);) {
        CHECK_FOR_INTERRUPTS();
        with_context(per_row, [&] {
            if (attempt(&tid, row) == TM_Ok) {
                emit(row);
                ++count;
            }
        });
        MemoryContextReset(per_row);
    }
    rows.end();
    MemoryContextDelete(per_row);
}

channel consumable_channel(std::string_view name) {
    const channel c = get_channel(name);
    check_privilege(c, GetUserId(), privilege::consume);
    return c;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_take) {
    PreventCommandIfReadOnly("pgpubsub.take()");
    const std::string_view name = text_argument(fcinfo, 0, "channel");
    const int max_count = count_argument(fcinfo, 1, "max_count");
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);

    notification_table table = notification_table::open();
    const channel c = consumable_channel(name);
    const Datum channel_name = CStringGetTextDatum(c.name);
    claim_rows(
        table, c.id, max_count,
        [&](ItemPointer tid, const row_values& row) {
            const TM_Result outcome = table.remove(tid, false);
            if (outcome == TM_Ok)
                note_taken(DatumGetInt64(row.get(column::id)), tid, table.heap());
            return outcome;
        },
        [&](const row_values& row) { put_result(result, row, channel_name, nullptr); });
    table.close();
    return Datum{0};
}

PGPUBSUB_FUNCTION(pgpubsub_claim) {
    PreventCommandIfReadOnly("pgpubsub.claim()");
    const std::string_view name = text_argument(fcinfo, 0, "channel");
    const int max_count = count_argument(fcinfo, 1, "max_count");
    const TimestampTz lease_end =
        deadline_argument(fcinfo, 2, "lease", GetCurrentTimestamp(), smallest_interval::above_zero);
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);

    notification_table table = notification_table::open();
    const channel c = consumable_channel(name);
    const Datum channel_name = CStringGetTextDatum(c.name);
    uint64 token = 0;
    claim_rows(
        table, c.id, max_count,
        [&](ItemPointer tid, const row_values& row) {
            token = new_token();
            row_values leased = row;
            leased.set(column::attempts, Int16GetDatum(row.next_attempt()));
            leased.set(column::due_at, TimestampTzGetDatum(lease_end));
            leased.set(column::lease_token, Int64GetDatum(static_cast<int64>(token)));
            return table.update(tid, leased, false);
        },
        [&](const row_values& row) {
            char buffer[receipt_max_length];
            const std::string_view receipt_text =
                format_receipt({DatumGetInt64(row.get(column::id)), token}, std::span{buffer});
            put_result(result, row, channel_name,
                       cstring_to_text_with_len(receipt_text.data(), static_cast<int>(receipt_text.size())));
        });
    table.close();
    return Datum{0};
}
