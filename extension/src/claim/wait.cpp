// CALL pgpubsub.wait(): waits for work without LISTEN, for instance through a pooler that gives each transaction
// another session.
//
// Guarantee: it returns as soon as there may be work, and holds no snapshot and no lock while it waits. A hint that
// arrives between the caller's last look and this call is not lost: the session is registered as waiting first, and
// looks for work afterwards.
//
// Steps: register this session as waiting; look into each channel; sleep until the worker wakes it (notifier.cpp),
// something is due, or the time is over; look again. If another consumer has taken the work, a woken session goes on
// waiting. Without a worker, the session looks again after growing pauses.
#include "channel/arguments.hpp"
#include "claim/next_due.hpp"
#include "pure/steady_clock.hpp"
#include "shmem/marks.hpp"
#include "shmem/sessions.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

constexpr int64 shortest_pause = 100'000;
constexpr int64 longest_pause = USECS_PER_SEC;
// Limit of a sleep beside a worker, in case a hint was lost.
constexpr int64 longest_sleep = 60 * USECS_PER_SEC;

constexpr int64 longest_wait = 100 * 365 * USECS_PER_DAY;  // stands for waiting without a limit

constexpr int64 client_check_interval = USECS_PER_SEC;

struct waited_channels {
    int count;
    const text** names;
    uint32* hashes;
    const text* subscription;
};

struct wait_arguments {
    enum : int { channels, timeout, subscription, channel };
};

waited_channels channels_argument(FunctionCallInfo fcinfo) {
    using at = wait_arguments;
    require(fcinfo, at::channels, "channels");
    require(fcinfo, at::subscription, "subscription");
    Datum* names;
    bool* nulls;
    waited_channels result{};
    deconstruct_array(PG_GETARG_ARRAYTYPE_P_COPY(at::channels), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls,
                      &result.count);
    if (result.count == 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"channels\" must name a channel"));
    result.names = static_cast<const text**>(palloc(result.count * sizeof(text*)));
    result.hashes = static_cast<uint32*>(palloc(result.count * sizeof(uint32)));
    for (int i = 0; i < result.count; ++i) {
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("channel must not be null"));
        result.names[i] = DatumGetTextPP(names[i]);
        result.hashes[i] = name_hash(MyDatabaseId, c_string(view_of(result.names[i])));
    }
    result.subscription = PG_GETARG_TEXT_P_COPY(at::subscription);
    return result;
}

// Looks into the channels, in a snapshot of its own. Returns the index of the channel that may have work, or -1; sets
// `*next` to the time of the next look.
int look(const waited_channels& channels, TimestampTz* next) {
    int ready = -1;
    *next = DT_NOEND;
    // The transaction began before the sleep: the changes that others have made to the channels since then count.
    AcceptInvalidationMessages();
    PushActiveSnapshot(GetTransactionSnapshot());
    for (int i = 0; i < channels.count && ready < 0; ++i) {
        claim_request request{};
        request.max_count = 1;
        request.c = get_queue_channel(view_of(channels.names[i]));
        check_privilege(request.c, GetUserId(), privilege::consume);
        request.s = get_subscription(request.c, view_of(channels.subscription));
        TimestampTz due;
        if (!find_next_due(request, busy_rows::dont_count, &due))
            continue;
        if (due <= GetCurrentTimestamp())
            ready = i;
        *next = Min(*next, due);
    }
    PopActiveSnapshot();
    return ready;
}

// A waiting session whose client is gone has nobody to tell about work, and must not be woken in place of another
// session.
void end_if_client_is_gone() {
    if (MyProcPort == nullptr || pq_check_connection())
        return;
    ClientConnectionLost = true;
    InterruptPending = true;
    CHECK_FOR_INTERRUPTS();
}

void sleep_until(int64 until) {
    const long timeout = static_cast<long>(Max(until - steady_now(), 0) / 1000 + 1);
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

// Returns the index of the channel that may have work; -1 if there is none until the deadline.
int wait_for_work(const waited_channels& channels, int64 deadline) {
    int64 pause = shortest_pause;
    const MemoryContext per_look = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub wait", ALLOCSET_DEFAULT_SIZES);
    for (;;) {
        wait_again();
        TimestampTz next;
        const int ready = with_context(per_look, [&] { return look(channels, &next); });
        MemoryContextReset(per_look);
        // Ends the transaction, with its snapshot and its locks.
        SPI_commit();
        const int64 now = steady_now();
        if (ready >= 0 || now >= deadline)
            return ready;
        const bool is_woken_by_worker =
            has_shared_memory() && our_database() != nullptr && expects_worker(our_database());
        const int64 longest = is_woken_by_worker ? longest_sleep : pause;
        const int64 look_at = now + Max(Min(next - GetCurrentTimestamp(), longest), 0);
        pause = Min(2 * pause, longest_pause);
        while (!was_woken() && steady_now() < Min(look_at, deadline)) {
            sleep_until(Min(Min(look_at, deadline), steady_now() + client_check_interval));
            end_if_client_is_gone();
        }
    }
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_wait) {
    PreventCommandIfReadOnly("pgpubsub.wait()");
    if (fcinfo->context == nullptr || !IsA(fcinfo->context, CallContext) ||
        reinterpret_cast<CallContext*>(fcinfo->context)->atomic)
        ereport(ERROR, errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
                errmsg("pgpubsub.wait() can't be called within a transaction"),
                errdetail("It ends its transaction, so as to hold nothing while it waits."),
                errhint("CALL it by itself, not within BEGIN ... COMMIT or a function."));
    const TimestampTz begun_at = GetCurrentTimestamp();
    const TimestampTz ends_at =
        deadline_argument(fcinfo, wait_arguments::timeout, "timeout", begun_at, smallest_interval::zero);
    const int64 timeout = ends_at == DT_NOEND ? longest_wait : Min(ends_at - begun_at, longest_wait);
    const int64 deadline = steady_now() + timeout;
    const waited_channels channels = channels_argument(fcinfo);

    // The memory context of this procedure, which outlives the transactions.
    const MemoryContext context = CurrentMemoryContext;
    SPI_connect_ext(SPI_OPT_NONATOMIC);
    if (has_shared_memory())
        ask_for_worker();
    volatile int ready = -1;
    PG_TRY();
    {
        begin_wait({channels.hashes, static_cast<std::size_t>(channels.count)});
        ready = wait_for_work(channels, deadline);
    }
    PG_FINALLY();
    { end_wait(); }
    PG_END_TRY();
    SPI_finish();
    MemoryContextSwitchTo(context);

    // The value of the argument INOUT is a row of one column.
    const TupleDesc columns = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(columns, 1, "channel", TEXTOID, -1, 0);
    Datum value = ready < 0 ? Datum{0} : PointerGetDatum(channels.names[ready]);
    bool null = ready < 0;
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), &value, &null)));
}
