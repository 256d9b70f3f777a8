// The walk that take() and claim() share: from row to row, in order, until enough rows are handed out.
//
// Steps: walk the rows by priority, then by age. In an ordered channel, key_order.hpp decides which rows may be handed
// out; after too many refused rows, the walk goes on key by key. Rows whose attempts are used up, and rows that can't
// be handed out (readable.hpp), become dead letters on the way.
#pragma once

#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/channel_lock.hpp"
#include "channel/table_columns.hpp"
#include "claim/claimable.hpp"
#include "claim/due_walk.hpp"
#include "claim/key_order.hpp"
#include "claim/key_walk.hpp"
#include "queue/failure.hpp"
#include "queue/readable.hpp"

namespace pgpubsub {

// The caller's request.
struct claim_request {
    channel c;
    subscription s;
    int max_count;
    const Jsonb* filter;  // null: no filter
};

// claims: the transaction keeps the channel's lock until it ends.
enum class channel_use { looks, claims };

// Reads the arguments channel, subscription and filter. `At` has the positions of the arguments.
// Errors: undefined_object (42704), wrong_object_type (42809), insufficient_privilege (42501).
template <typename At>
claim_request request_arguments(FunctionCallInfo fcinfo, channel_use use, int max_count) {
    claim_request request;
    request.max_count = max_count;
    request.c = get_queue_channel(text_argument(fcinfo, At::channel, "channel"));
    if (use == channel_use::claims)
        request.c = get_channel_for_use(request.c.name, GetUserId(), privilege::consume);
    else
        check_privilege(request.c, GetUserId(), privilege::consume);
    request.s = get_subscription(request.c, text_argument(fcinfo, At::subscription, "subscription"));
    request.filter = optional_jsonb_argument(fcinfo, At::filter);
    return request;
}

// Hands out rows of a subscription until there are enough. `HandOut`: TM_Result(ItemPointer, const row_values&) removes
// or leases a row and, if the result is TM_Ok, hands it out.
template <typename HandOut>
class claimer {
public:
    // `looks_further`: when enough rows are handed out, find out whether there are more.
    claimer(notification_table& table, const claim_request& request, claim_mode mode, HandOut hand_out,
            bool looks_further = false)
        : table_(table),
          request_(request),
          mode_(mode),
          looks_further_(looks_further),
          hand_out_(hand_out),
          per_row_(AllocSetContextCreate(CurrentMemoryContext, "pgpubsub claim", ALLOCSET_DEFAULT_SIZES)) {
        if (request.c.ordered)
            order_ = key_order::begin(table, request.s.id, mode);
    }

    // Walks and hands out. Returns false when there may be more for the next call: the walk gave up to limit its time,
    // or another transaction has a key.
    bool run() {
        // Makes the earlier effects of this statement visible: a row that another call in it has taken is not tried
        // again, and a row that it has published is not skipped as gone (place.hpp).
        CommandCounterIncrement();
        PushCopiedSnapshot(GetActiveSnapshot());
        UpdateActiveSnapshotCommandId();
        if (walk_by_age() == walk_result::too_many_blocked) {
            walk_ended_leases();
            walk_by_key();
        }
        if (request_.c.ordered) {
            has_given_up_ = has_given_up_ || order_.has_met_locks();
            order_.end();
        }
        PopActiveSnapshot();
        MemoryContextDelete(per_row_);
        return !has_given_up_;
    }

    // Returns how many rows were handed out.
    int count() const { return count_; }
    // Returns whether there are more rows than were asked for.
    bool has_more() const { return has_more_; }
    // Returns whether the walk skipped rows that another transaction is removing.
    bool passed_busy() const { return passed_busy_; }

private:
    enum class walk_result { done, too_many_blocked };

    // Number of rows of blocked keys that a walk by age steps over. After blocked_limit rows, the walk by key is
    // cheaper. After blocked_limit_without_room rows the walk ends if no further key can be locked.
    static constexpr int blocked_limit = 1000;
    static constexpr int blocked_limit_without_room = 100;

    static bool goes_on_after(int blocked) {
        return blocked < blocked_limit_without_room || (blocked < blocked_limit && key_order::has_room());
    }

    // Most dead letters that one call makes, for instance after the limit of attempts was lowered.
    static constexpr int buried_limit = 1000;

    bool has_enough() const { return count_ == request_.max_count || buried_ == buried_limit; }

    walk_result walk_by_age() {
        claimable_rows rows = claimable_rows::begin(table_, request_.c, request_.s.id, request_.max_count);
        ItemPointerData tid;
        row_values row;
        int blocked = 0;
        while (!has_enough() && goes_on_after(blocked) && rows.next(&tid, &row)) {
            CHECK_FOR_INTERRUPTS();
            const int buried = buried_;
            const bool ok = try_row(&tid, row);
            if (buried_ > buried || (ok && mode_ != claim_mode::look))
                rows.removed();
            if (!ok && request_.c.ordered)
                ++blocked;
        }
        has_more_ = looks_further_ && count_ == request_.max_count && rows.next(&tid, &row);
        rows.end();
        passed_busy_ = rows.passed_busy();
        has_given_up_ = buried_ == buried_limit;
        return blocked >= blocked_limit && key_order::has_room() ? walk_result::too_many_blocked : walk_result::done;
    }

    // Walks the leases that are over, which the walk by key does not meet. They are among the rows whose time has come,
    // so only these rows are read, not all running leases. If very many of these rows wait for something other than the
    // end of a lease, all leases are walked instead.
    void walk_ended_leases() {
        known_place known = known_place::recall(table_.heap(), request_.c, request_.s.id, GetActiveSnapshot());
        due_walk due = due_walk::begin(table_, request_.s.id, GetActiveSnapshot(), &known);
        int others = 0;
        while (!has_enough() && key_order::has_room() && others < blocked_limit && due.next()) {
            const row_values row = due.values();
            const bool is_leased = !row.is_null(column::lease_token);
            others += !is_leased;
            if (is_leased && try_row(due.tid(), row) && mode_ != claim_mode::look)
                due.removed(due.number());
            due.all_are_settled();
        }
        due.end();
        if (others == blocked_limit)
            walk_leases();
    }

    void walk_leases() {
        ScanKeyData keys[] = {equals_int4(1, request_.s.id)};
        notification_scan leases =
            notification_scan::begin(table_, our_catalog().notification_in_flight, GetActiveSnapshot(), keys);
        const TimestampTz now = GetCurrentTimestamp();
        while (!has_enough() && key_order::has_room() && leases.next()) {
            CHECK_FOR_INTERRUPTS();
            const row_values row = leases.values();
            if (DatumGetTimestampTz(row.get(column::due_at)) <= now)
                try_row(leases.tid(), row);
        }
        leases.end();
    }

    void walk_by_key() {
        key_walk rows = key_walk::begin(table_, request_.s.id);
        const TimestampTz now = GetCurrentTimestamp();
        ItemPointerData tid;
        row_values row;
        while (!has_enough() && key_order::has_room() && rows.next(&tid, &row)) {
            CHECK_FOR_INTERRUPTS();
            const bool is_waiting = !row.is_null(column::due_at) && DatumGetTimestampTz(row.get(column::due_at)) > now;
            if (is_waiting || !try_row(&tid, row))
                rows.skip_key();
        }
        has_given_up_ = rows.was_cut() || buried_ == buried_limit;
        rows.end();
    }

    // Hands the row out if that is possible now; returns false if not.
    bool try_row(ItemPointer tid, const row_values& row) {
        const bool ok =
            with_context(per_row_, [&] { return request_.c.ordered ? try_ordered(tid, row) : try_plain(tid, row); });
        MemoryContextReset(per_row_);
        return ok;
    }

    // Returns whether the row must become a dead letter instead of being handed out. Sets `*error` to the error of the
    // dead letter; null: the error that the row has already.
    bool is_dead(const row_values& row, const char** error) const {
        if (is_used_up(row, request_.s)) {
            *error = error_if_leased(row, lease_is_over);
            return true;
        }
        *error = too_long_to_read;
        return mode_ != claim_mode::look && !is_readable(row);
    }

    bool try_plain(ItemPointer tid, const row_values& row) {
        if (!passes(row.get(column::payload), request_.filter))
            return false;
        if (const char* error; is_dead(row, &error)) {
            buried_ += bury(table_, tid, row, error) == TM_Ok;
            return false;
        }
        if (hand_out_(tid, row) != TM_Ok)
            return false;
        ++count_;
        return true;
    }

    bool try_ordered(ItemPointer tid, const row_values& row) {
        const int64 key = DatumGetInt64(row.get(column::order_key));
        const int64 id = DatumGetInt64(row.get(column::id));
        if (order_.is_blocked(key))
            return false;
        if (!passes(row.get(column::payload), request_.filter)) {
            order_.block(key);
            return false;
        }
        if (!order_.admits(key, id))
            return false;
        const char* error;
        const bool dead = is_dead(row, &error);
        if ((dead ? bury(table_, tid, row, error) : hand_out_(tid, row)) != TM_Ok) {
            order_.block(key);
            return false;
        }
        if (dead) {
            ++buried_;
            order_.passed(key, id);
        } else {
            order_.handed_out(key, id);
            ++count_;
        }
        return true;
    }

    notification_table& table_;
    const claim_request& request_;
    claim_mode mode_;
    bool looks_further_;
    HandOut hand_out_;
    MemoryContext per_row_;
    key_order order_{};
    int count_ = 0;
    int buried_ = 0;
    bool has_given_up_ = false;
    bool has_more_ = false;
    bool passed_busy_ = false;
};

}  // namespace pgpubsub
