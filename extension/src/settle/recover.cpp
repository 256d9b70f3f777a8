// pgpubsub.recover(): the recovery steps for everything that waits without a reason.
//
// Guarantee: it
// - ends leases whose owner is gone;
// - makes dead letters of rows whose lease or delay is over and whose attempts are used up;
// - wakes the consumers of ready notifications;
// - removes what has been kept too long.
//
// A lease or delay that is over, with attempts left, stays as it is: claims find the row, and the receipt of such a
// lease is good until a claim does. recover() works in chunks, so memory does not grow with the number of rows: the
// function does one chunk, and the procedure commits after each chunk. Rows that another transaction has locked or is
// changing are left to it. Afterwards claims look at the whole index once more, for rows that were written without
// firing the triggers.
//
// Steps: the leases of all channels, in one pass, because the index of the leases does not know channels; then channel
// by channel.
#include "admin/role_rights.hpp"
#include "channel/arguments.hpp"
#include "place/place.hpp"
#include "settle/recovery.hpp"

using namespace pgpubsub;

namespace {

struct recover_arguments {
    enum : int { channel };
};
struct recover_in_chunks_arguments {
    enum : int { channel, chunk_size, recovered };
};

// Chunk size of the function.
constexpr int64 default_chunk = 10'000;

// Returns the channel that the argument names; null: all channels that the caller may consume.
std::span<const channel> channels_argument(FunctionCallInfo fcinfo, int index) {
    if (PG_ARGISNULL(index))
        return consumable_channels(GetUserId());
    auto* const named = static_cast<channel*>(palloc(sizeof(channel)));
    *named = get_channel(text_argument(fcinfo, index, "channel"));
    check_privilege(*named, GetUserId(), privilege::consume);
    return {named, 1};
}

// Does what the worker does in addition.
void tidy_rights_if_all(FunctionCallInfo fcinfo, int index) {
    if (PG_ARGISNULL(index))
        tidy_rights();
}

void forget_places_of(const channel& c) {
    notification_table table = notification_table::open();
    for (const subscription& s : subscriptions_of(c))
        forget_place(table.heap(), s.id);
    table.close();
}

progress recover_leases(lease_pass* pass, int64 limit) {
    notification_table table = notification_table::open();
    const progress done = end_lost_leases(table, pass, {limit, PG_INT64_MAX});
    table.close();
    return done;
}

// Runs f with a snapshot. A procedure that may commit has none.
template <typename F>
auto with_snapshot(F f) {
    PushActiveSnapshot(GetTransactionSnapshot());
    const auto result = f();
    PopActiveSnapshot();
    return result;
}

Datum recover_in_chunks(FunctionCallInfo fcinfo, count_type type) {
    PreventCommandIfReadOnly("pgpubsub.recover()");
    using at = recover_in_chunks_arguments;
    const int chunk = count_argument(fcinfo, at::chunk_size, "chunk_size", type);
    const bool may_commit = fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
                            !reinterpret_cast<CallContext*>(fcinfo->context)->atomic;
    // The current memory context, which outlives the transactions.
    const MemoryContext context = CurrentMemoryContext;
    SPI_connect_ext(may_commit ? SPI_OPT_NONATOMIC : 0);
    const std::span<const channel> channels =
        with_context(context, [&] { return with_snapshot([&] { return channels_argument(fcinfo, at::channel); }); });
    with_snapshot([&] {
        tidy_rights_if_all(fcinfo, at::channel);
        return true;
    });

    int64 total = 0;
    const auto in_chunks = [&](auto step) {
        progress done;
        do {
            CHECK_FOR_INTERRUPTS();
            done = with_snapshot(step);
            total += done.ended;
            if (may_commit)
                SPI_commit();
            else
                CommandCounterIncrement();
        } while (done.has_more);
    };
    lease_pass pass = {
        .among = channels, .buries = false, .from_id = PG_INT64_MIN, .from_tid = {}, .from_file = InvalidOid};
    if (!channels.empty())
        in_chunks([&] { return recover_leases(&pass, chunk); });
    for (const channel& c : channels) {
        position start{};
        with_snapshot([&] {
            forget_places_of(c);
            return true;
        });
        in_chunks([&] {
            channel still_there;
            return find_channel(c.id, &still_there) ? recover_channel(c, chunk, &start) : progress{};
        });
    }
    SPI_finish();

    // The value of the argument INOUT is a row of one column.
    const TupleDesc columns = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(columns, 1, "recovered", INT8OID, -1, 0);
    Datum value = Int64GetDatum(total);
    bool null = false;
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), &value, &null)));
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_recover) {
    PreventCommandIfReadOnly("pgpubsub.recover()");
    const std::span<const channel> channels = channels_argument(fcinfo, recover_arguments::channel);
    tidy_rights_if_all(fcinfo, recover_arguments::channel);
    if (channels.empty())
        PG_RETURN_INT64(0);
    lease_pass pass = {
        .among = channels, .buries = false, .from_id = PG_INT64_MIN, .from_tid = {}, .from_file = InvalidOid};
    int64 ended = recover_leases(&pass, default_chunk).ended;
    CommandCounterIncrement();
    for (const channel& c : channels) {
        position start{};
        forget_places_of(c);
        ended += recover_channel(c, default_chunk - ended, &start).ended;
    }
    PG_RETURN_INT64(ended);
}

PGPUBSUB_FUNCTION(pgpubsub_recover_in_chunks) { return recover_in_chunks(fcinfo, count_type::integer); }
PGPUBSUB_FUNCTION(pgpubsub_recover_in_chunks_0_2) { return recover_in_chunks(fcinfo, count_type::bigint); }
