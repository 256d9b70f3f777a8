// pgpubsub.ack(), nack(), extend() and release(): what the holder of a lease may do with it.
//
// Guarantee: only the receipt of the row's present lease has an effect. A stale receipt counts nothing and touches
// nothing, so the caller sees that its lease was lost. A receipt whose lease has run out is still good until another
// consumer claims the row.
//
// Steps for each receipt: find its row by the newest snapshot; compare the token; remove or rewrite the row. If another
// session has locked or is changing the row, there are two cases:
// - The lease has run out: the row is lost to that session.
// - The lease is running: the other session is another call of the same holder (an extend beside an ack), or the
//   release of a lease whose owner is gone. Then the call waits for it, and looks at the row again.
//
// All calls process their receipts in one order, whatever the order of the array; therefore two calls never wait for
// each other.
#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/channel_lock.hpp"
#include "channel/table_columns.hpp"
#include "claim/key_order.hpp"
#include "claim/lease_owner.hpp"
#include "pure/receipt.hpp"
#include "queue/archive.hpp"
#include "queue/failure.hpp"
#include "queue/notification.hpp"
#include "queue/stat_count.hpp"
#include "settle/later_wake_up.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

struct leased_row {
    ItemPointerData tid;
    row_values row;
    channel c;
    subscription s;
};

// Finds the row of the receipt, with its values copied. Returns false if the receipt is stale.
bool find_leased(const notification_table& table, const receipt& r, leased_row* found) {
    bool matches = false;
    ScanKeyData keys[] = {equals_int8(1, r.id)};
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    notification_scan scan = notification_scan::begin(table, our_catalog().notification_leased, snapshot, keys);
    while (!matches && scan.next()) {
        bool null;
        const Datum token = scan.get(column::lease_token, &null);
        if (null || static_cast<uint64>(DatumGetInt64(token)) != r.token)
            continue;
        matches = true;
        found->tid = *scan.tid();
        found->row = scan.values();
        const TupleDesc columns = RelationGetDescr(table.heap());
        for (AttrNumber c = 1; c <= column::count; ++c)
            if (!found->row.is_null(c))
                found->row.values[c - 1] = datumCopy(found->row.get(c), TupleDescAttr(columns, c - 1)->attbyval,
                                                     TupleDescAttr(columns, c - 1)->attlen);
    }
    scan.end();
    UnregisterSnapshot(snapshot);
    return matches;
}

bool lease_has_ended(const leased_row& leased) {
    return DatumGetTimestampTz(leased.row.get(column::due_at)) <= GetCurrentTimestamp();
}

// Finds the channel of the row, and checks that the caller may consume from it. Returns false if the channel was
// dropped.
bool find_home(leased_row* leased) {
    const int32 id = DatumGetInt32(leased->row.get(column::subscription_id));
    if (!find_subscription(id, &leased->s) || !find_channel(leased->s.channel_id, &leased->c))
        return false;
    check_privilege(leased->c, GetUserId(), privilege::consume);
    bool was_locked;
    return use_channel(&leased->c, &was_locked) && (!was_locked || find_subscription(id, &leased->s));
}

// Sorts the receipts and removes repeated ones. Returns how many are left.
int sort_unique(receipt* receipts, int count) {
    qsort(receipts, count, sizeof(receipt), [](const void* a, const void* b) {
        const auto order = *static_cast<const receipt*>(a) <=> *static_cast<const receipt*>(b);
        return (order > 0) - (order < 0);
    });
    int kept = 0;
    for (int i = 0; i < count; ++i)
        if (kept == 0 || receipts[i] != receipts[kept - 1])
            receipts[kept++] = receipts[i];
    return kept;
}

constexpr auto nothing_to_do = [] {};

struct ack_arguments {
    enum : int { receipts };
};
struct nack_arguments {
    enum : int { receipts, delay, error, reject };
};
struct extend_arguments {
    enum : int { receipts, lease };
};
using release_arguments = ack_arguments;

// Calls change(table, leased, wait) for the row of each receipt in the argument receipts, and again if the row was
// changed meanwhile; then calls after_each(). Returns how many rows it changed.
template <typename At, typename Change, typename AfterEach = decltype(nothing_to_do)>
int64 for_each_receipt(FunctionCallInfo fcinfo, const char* function, Change change,
                       AfterEach after_each = nothing_to_do) {
    PreventCommandIfReadOnly(function);
    // array_agg() without rows returns null.
    if (PG_ARGISNULL(At::receipts))
        return 0;
    Datum* receipts;
    bool* nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(At::receipts), TEXTOID, -1, false, TYPALIGN_INT, &receipts, &nulls, &count);

    // All receipts are parsed before the first has an effect, so that a malformed one ends nobody's lease.
    auto* const parsed = static_cast<receipt*>(palloc(Max(count, 1) * sizeof(receipt)));
    for (int i = 0; i < count; ++i) {
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("receipt must not be null"));
        const std::string_view given = view_of(DatumGetTextPP(receipts[i]));
        const std::optional<receipt> r = parse_receipt(given);
        if (!r)
            ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                    errmsg("invalid receipt: \"%s\"", c_string(given)),
                    errhint("Pass the receipts that pgpubsub.claim() returned."));
        parsed[i] = *r;
    }
    count = sort_unique(parsed, count);

    // Makes the effects of a claim in the same statement visible.
    CommandCounterIncrement();
    int64 changed = 0;
    notification_table table = notification_table::open();
    const MemoryContext per_row =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub receipt", ALLOCSET_DEFAULT_SIZES);
    for (int i = 0; i < count; ++i) {
        CHECK_FOR_INTERRUPTS();
        with_context(per_row, [&] {
            leased_row leased;
            while (find_leased(table, parsed[i], &leased) && find_home(&leased)) {
                const bool wait = !lease_has_ended(leased);
                const bool was_own = is_own_lease(leased.row);
                const TM_Result outcome = change(table, leased, wait);
                if (outcome == TM_Ok) {
                    ++changed;
                    if (was_own)
                        count_end_of_lease();
                }
                if (outcome != TM_Updated && outcome != TM_Deleted)
                    break;
            }
            after_each();
        });
        MemoryContextReset(per_row);
        CommandCounterIncrement();
    }
    MemoryContextDelete(per_row);
    table.close();
    return changed;
}

}  // namespace

// The results are bigint. In the catalog of 0.1.0 they are integer, which takes the lower half of the same Datum.

PGPUBSUB_FUNCTION(pgpubsub_ack) {
    int64 kept = 0;
    subscription keeper{};  // the last subscription with a history
    int32 hinted = 0;       // the last channel whose consumers were woken
    const int64 acked = for_each_receipt<ack_arguments>(
        fcinfo, "pgpubsub.ack()", [&](notification_table& table, leased_row& leased, bool wait) {
            const TM_Result outcome = table.remove(&leased.tid, wait);
            if (outcome != TM_Ok)
                return outcome;
            count_processed(leased.s.id);
            // The next notification of the key can now be handed out. Nothing else would wake the consumers that found
            // the key taken. One hint is enough.
            if (leased.c.ordered && hinted != leased.c.id &&
                has_follower(table, leased.s.id, DatumGetInt64(leased.row.get(column::order_key)),
                             DatumGetInt64(leased.row.get(column::id)))) {
                wake_consumers(leased.c);
                hinted = leased.c.id;
            }
            if (leased.s.history > 0) {
                store_processed(leased.row);
                keeper = leased.s;
                ++kept;
            }
            return outcome;
        });
    if (kept > 0)
        sweep_processed(keeper, sweep_after(kept));
    PG_RETURN_INT64(acked);
}

PGPUBSUB_FUNCTION(pgpubsub_nack) {
    const failure f = failure_arguments<nack_arguments>(fcinfo);
    later_wake_up wakes{};
    const int64 nacked = for_each_receipt<nack_arguments>(
        fcinfo, "pgpubsub.nack()", [&](notification_table& table, leased_row& leased, bool wait) {
            TM_Result outcome;
            if (is_dead(leased.row, leased.s, f)) {
                outcome = table.remove(&leased.tid, wait);
                if (outcome == TM_Ok)
                    store_dead_letter(leased.row, f.error);
            } else {
                prepare_retry(&leased.row, leased.s, f);
                outcome = table.update(&leased.tid, leased.row, wait);
                if (outcome == TM_Ok)
                    wakes.add(leased.c, leased.row);
            }
            if (outcome == TM_Ok) {
                count_failed(leased.s.id);
                wake_consumers(leased.c);
            }
            return outcome;
        });
    wakes.flush();
    PG_RETURN_INT64(nacked);
}

PGPUBSUB_FUNCTION(pgpubsub_extend) {
    const TimestampTz lease_end = deadline_argument(fcinfo, extend_arguments::lease, "lease", GetCurrentTimestamp(),
                                                    smallest_interval::above_zero);
    later_wake_up wakes{};
    momentary_lock key;
    const int64 extended = for_each_receipt<extend_arguments>(
        fcinfo, "pgpubsub.extend()",
        [&](notification_table& table, leased_row& leased, bool wait) {
            if (leased.c.ordered) {
                // If the lease is over, another notification of the same key may have been handed out since. While the
                // end of this lease is moved, no other transaction may look for leases of the key.
                if (lease_has_ended(leased))
                    return TM_Invisible;
                if (!key.is_held()) {
                    key.acquire(key_lock(leased.s.id, DatumGetInt64(leased.row.get(column::order_key))));
                    return TM_Updated;  // the row is looked at again
                }
            }
            set_due(&leased.row, lease_end);
            set_lease_owner(&leased.row);
            const TM_Result outcome = table.update(&leased.tid, leased.row, wait);
            if (outcome == TM_Ok) {
                count_lease(DatumGetInt64(leased.row.get(column::id)));
                wakes.add(leased.c, lease_end);
            }
            return outcome;
        },
        [&] { key.release(); });
    wakes.flush();
    PG_RETURN_INT64(extended);
}

PGPUBSUB_FUNCTION(pgpubsub_release) {
    PG_RETURN_INT64(for_each_receipt<release_arguments>(
        fcinfo, "pgpubsub.release()", [](notification_table& table, leased_row& leased, bool wait) {
            make_ready(&leased.row);
            const int16 attempts = DatumGetInt16(leased.row.get(column::attempts));
            leased.row.set(column::attempts, Int16GetDatum(attempts - 1));
            const TM_Result outcome = table.update(&leased.tid, leased.row, wait);
            if (outcome == TM_Ok)
                wake_consumers(leased.c);
            return outcome;
        }));
}
