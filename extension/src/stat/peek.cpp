// pgpubsub.peek(): a page of the stored notifications, in the order of ids, without taking them.
//
// Guarantee: for a long backlog it reads no more than it must: for each priority in use, as many rows as the page has.
// Each row that is passed over on the way (because of the filter, the state, or because it was removed and is not
// vacuumed yet) costs about a microsecond, and the walk can be cancelled. It locks and writes nothing, so it works on a
// standby.
//
// Steps: in each index, and in the first index for each priority, find the wanted rows that come first after after_id,
// as many as the page has, with their ids and places; of all these keep the lowest ids; then read their values.
#include "channel/arguments.hpp"
#include "channel/table_columns.hpp"
#include "queue/stored.hpp"

using namespace pgpubsub;

namespace {

// What a walk looks for, and how.
struct search {
    Relation table;
    Snapshot snapshot;
    TimestampTz now;
    int32 subscription_id;
    bool has_state;  // false: any state
    stored_state wanted;
    const Jsonb* filter;  // null: no filter
    int64 after_id;
    int64 max_count;

    bool may_be(stored_state s) const { return !has_state || wanted == s; }
};

struct found_row {
    int64 id;
    ItemPointerData tid;
};

int by_id(const void* a, const void* b) {
    const int64 left = static_cast<const found_row*>(a)->id;
    const int64 right = static_cast<const found_row*>(b)->id;
    return (left > right) - (left < right);
}

// The rows with the lowest ids, as many as are wanted; sometimes more, until settle() throws the rest away.
class lowest_ids {
public:
    explicit lowest_ids(int64 wanted) : wanted_(wanted), context_(CurrentMemoryContext) {}

    // Returns whether a row with that id, or a higher one, could still be among them.
    bool wants(int64 id) const { return !is_full_ || id < limit_; }
    void add(int64 id, ItemPointerData tid) {
        if (count_ == capacity_)
            make_room();
        rows_[count_++] = {id, tid};
    }
    // Throws away the surplus; from then on it wants only rows that would change the result.
    void settle() {
        if (count_ > 1)
            qsort(rows_, count_, sizeof(found_row), by_id);
        is_full_ = count_ >= wanted_;
        count_ = Min(count_, wanted_);
        if (is_full_)
            limit_ = rows_[count_ - 1].id;
    }
    std::span<const found_row> result() {
        settle();
        return {rows_, static_cast<std::size_t>(count_)};
    }

private:
    void make_room() {
        if (count_ / 2 >= wanted_) {
            settle();
            return;
        }
        capacity_ = Max(capacity_ * 2, int64{64});
        const Size bytes = capacity_ * sizeof(found_row);
        void* const room = rows_ == nullptr ? MemoryContextAllocHuge(context_, bytes) : repalloc_huge(rows_, bytes);
        rows_ = static_cast<found_row*>(room);
    }

    int64 wanted_;
    MemoryContext context_;
    found_row* rows_ = nullptr;
    int64 count_ = 0;
    int64 capacity_ = 0;
    bool is_full_ = false;  // there were enough at the last settle()
    int64 limit_ = 0;
};
static_assert(survives_longjmp<lowest_ids>);

class page {
public:
    explicit page(const search& s)
        : s_(s),
          found_(s.max_count),
          per_row_(AllocSetContextCreate(CurrentMemoryContext, "pgpubsub peek", ALLOCSET_DEFAULT_SIZES)) {}

    std::span<const found_row> find() {
        if (s_.may_be(stored_state::ready))
            for_each_priority(s_.table, s_.snapshot, s_.subscription_id, [this](Oid index, int16 priority) {
                ScanKeyData keys[] = {equals_int4(1, s_.subscription_id), equals_int2(2, priority),
                                      above_int8(3, s_.after_id)};
                add_rows(index, keys, order::by_id);
            });
        if (s_.has_state && s_.wanted == stored_state::ready && few_are_overdue())
            add_overdue();
        else
            add_waiting();
        MemoryContextDelete(per_row_);
        return found_.result();
    }

private:
    enum class order { by_id, other };

    // Waiting rows are not sorted by state: if more than this many are overdue, all waiting rows are walked by id.
    static constexpr int64 overdue_limit = 10'000;

    bool few_are_overdue() {
        ScanKeyData keys[] = {equals_int4(1, s_.subscription_id), until_time(2, s_.now)};
        const Oid index = our_catalog().notification_due;
        bounded_scan scan = bounded_scan::begin(s_.table, index, s_.snapshot, keys, overdue_limit);
        while (scan.next())
            continue;
        const bool are_few = !scan.was_cut();
        scan.end();
        return are_few;
    }

    void add_overdue() {
        ScanKeyData keys[] = {equals_int4(1, s_.subscription_id), until_time(2, s_.now)};
        add_rows(our_catalog().notification_due, keys, order::other);
    }

    void add_waiting() {
        const catalog& tables = our_catalog();
        if (!OidIsValid(tables.notification_waiting)) {
            ScanKeyData keys[] = {equals_int4(1, s_.subscription_id)};
            add_rows(tables.notification_due, keys, order::other);
            return;
        }
        if (!s_.has_state || s_.wanted != stored_state::leased) {
            ScanKeyData keys[] = {equals_int4(1, s_.subscription_id), above_int8(2, s_.after_id)};
            add_rows(tables.notification_waiting, keys, order::by_id);
        }
        if (s_.may_be(stored_state::leased) || s_.may_be(stored_state::ready)) {
            ScanKeyData keys[] = {above_int8(1, s_.after_id)};
            add_rows(tables.notification_leased, keys, order::by_id);
        }
    }

    // Adds the wanted rows that the walk finds.
    void add_rows(Oid index, std::span<ScanKeyData> keys, order o) {
        bounded_scan scan = bounded_scan::begin(s_.table, index, s_.snapshot, keys, PG_INT64_MAX);
        int64 added = 0;
        while ((o == order::other || added < s_.max_count) && scan.next()) {
            const row_values row = row_values::of(scan.row());
            const int64 id = DatumGetInt64(row.get(column::id));
            if (!found_.wants(id)) {
                if (o == order::by_id)
                    break;
                continue;
            }
            if (id <= s_.after_id || !is_wanted(row))
                continue;
            found_.add(id, scan.row()->tts_tid);
            ++added;
        }
        scan.end();
        found_.settle();
    }

    bool is_wanted(const row_values& row) {
        if (DatumGetInt32(row.get(column::subscription_id)) != s_.subscription_id ||
            (s_.has_state && state_of(row, s_.now) != s_.wanted))
            return false;
        if (s_.filter == nullptr)
            return true;
        const bool passed = with_context(per_row_, [&] { return passes(row.get(column::payload), s_.filter); });
        MemoryContextReset(per_row_);
        return passed;
    }

    const search& s_;
    lowest_ids found_;
    MemoryContext per_row_;
};
static_assert(survives_longjmp<page>);

}  // namespace

struct peek_arguments {
    enum : int { channel, subscription, state, filter, after_id, max_count };
};

PGPUBSUB_FUNCTION(pgpubsub_peek) {
    using at = peek_arguments;
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const channel c = get_queue_channel(text_argument(fcinfo, at::channel, "channel"));
    check_privilege(c, GetUserId(), privilege::consume);
    const subscription s = get_subscription(c, text_argument(fcinfo, at::subscription, "subscription"));
    search wanted{};
    wanted.subscription_id = s.id;
    wanted.has_state = !PG_ARGISNULL(at::state);
    if (wanted.has_state)
        wanted.wanted = parse_stored_state(text_argument(fcinfo, at::state, "state"));
    wanted.filter = optional_jsonb_argument(fcinfo, at::filter);
    wanted.after_id = PG_ARGISNULL(at::after_id) ? PG_INT64_MIN : PG_GETARG_INT64(at::after_id);
    require(fcinfo, at::max_count, "max_count");
    wanted.max_count = PG_GETARG_INT64(at::max_count);
    if (wanted.max_count < 1)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("argument \"%s\" must be at least 1", "max_count"),
                errdetail("It is %lld.", static_cast<long long>(wanted.max_count)));

    wanted.table = open_notifications();
    wanted.snapshot = snapshot_without_locks();
    wanted.now = GetCurrentTimestamp();
    TupleTableSlot* const slot = table_slot_create(wanted.table, nullptr);
    const MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub peek", ALLOCSET_DEFAULT_SIZES);
    for (const found_row& row : page(wanted).find()) {
        ItemPointerData tid = row.tid;
        if (!table_tuple_fetch_row_version(wanted.table, &tid, wanted.snapshot, slot))
            continue;  // changed since, if the newest state of each row is read
        with_context(per_row, [&] { put(result, shown_notification(c, s, row_values::of(slot), wanted.now)); });
        MemoryContextReset(per_row);
        ExecClearTuple(slot);
    }
    MemoryContextDelete(per_row);
    ExecDropSingleTupleTableSlot(slot);
    table_close(wanted.table, AccessShareLock);
    return Datum{0};
}
