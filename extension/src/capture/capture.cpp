// pgpubsub.capture(): the trigger function that turns row changes into notifications.
//
// Guarantee: a notification is a row of the same transaction, so it exists if and only if the change commits. The user
// who changes the rows needs no right. The owner of the table for which the trigger was made must be allowed to publish
// to the channel. If not, the change goes through and is not captured, with a warning: it is not the writer's fault.
// The same holds for a trigger that can't capture (capture_trigger.hpp).
//
// Steps: check the call; get the plan of the trigger; process the changes one after the other, as the trigger's level
// provides them. The first change that passes the plan's filter opens the channel, which is made if this is its first
// use. Each change becomes a row for each subscription, or a broadcast. A firing with one change stores it at once
// (notification.hpp), a firing with several stores them in batches (notification_batch.hpp). At the end, give one hint.
#include "capture/capture_right.hpp"
#include "capture/capture_trigger.hpp"
#include "capture/change_payload.hpp"
#include "capture/transition_table.hpp"
#include "channel/channel_lock.hpp"
#include "queue/broadcast.hpp"
#include "queue/notification_batch.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

const TriggerData& guarded_trigger(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        raise({ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "pgpubsub.capture() was not called as a trigger", nullptr,
               capture_usage});
    const auto& trigger = *reinterpret_cast<TriggerData*>(fcinfo->context);
    // An INSTEAD OF trigger is the write itself: without it, nothing would be written.
    if (TRIGGER_FIRED_INSTEAD(trigger.tg_event))
        raise(problem_of(*trigger.tg_trigger));
    return trigger;
}

operation operation_of(const TriggerData& trigger) {
    const TriggerEvent event = trigger.tg_event;
    return TRIGGER_FIRED_BY_INSERT(event)   ? operation::insert
           : TRIGGER_FIRED_BY_UPDATE(event) ? operation::update
           : TRIGGER_FIRED_BY_DELETE(event) ? operation::erase
                                            : operation::truncate;
}

int16 event_bit(operation what) {
    return what == operation::insert   ? TRIGGER_TYPE_INSERT
           : what == operation::update ? TRIGGER_TYPE_UPDATE
           : what == operation::erase  ? TRIGGER_TYPE_DELETE
                                       : TRIGGER_TYPE_TRUNCATE;
}

// The destination of the changes of one firing of a trigger.
class change_sink {
public:
    static change_sink make(const TriggerData& trigger, const capture_plan& plan, bool expects_many) {
        change_sink sink{};
        sink.trigger_ = &trigger;
        sink.plan_ = &plan;
        sink.expects_many_ = expects_many;
        sink.memory_ = CurrentMemoryContext;
        if (plan.filter != nullptr)
            sink.filter_ = plan.filter->for_firing();
        return sink;
    }

    bool expects_many() const { return expects_many_; }

    void add(const row_change& change) {
        if (filter_ != nullptr && change.what != operation::truncate && !filter_->passes(change))
            return;
        if (!is_open_ && !is_refused_)
            with_context(memory_, [this] { open(); });
        if (is_refused_)
            return;
        const new_notification n = {
            .payload = payload_of(&json_, *plan_, change),
            .key = channel_.ordered || plan_->always_has_key ? key_of(*plan_, change) : nullptr};
        if (channel_.kind == channel_kind::broadcast)
            broadcast(channel_, n);
        else if (expects_many_)
            batch_.add(n);
        else
            store(table_, channel_, subscriptions_of(channel_), n);
    }

    void end() {
        if (filter_ != nullptr)
            filter_->close();
        if (!is_open_)
            return;
        if (is_batch())
            batch_.end();
        table_.close();
        if (channel_.kind == channel_kind::queue)
            wake_consumers(channel_);
    }

private:
    bool is_batch() const { return expects_many_ && channel_.kind == channel_kind::queue; }

    void open() {
        table_ = notification_table::open();
        const Oid owner = publisher();
        do {
            bool created;
            channel_ = get_or_create_channel(plan_->channel, owner, &created, made_by::worker);
            if (!created && !has_privilege(channel_.id, owner, privilege::publish)) {
                refuse(owner);
                return;
            }
        } while (!use_channel(&channel_));
        *plan_->has_warned = false;
        if (is_batch())
            batch_ = notification_batch::begin(&table_, channel_);
        json_ = jsonb_writer::make();
        is_open_ = true;
    }

    Oid publisher() const {
        const Relation table = trigger_->tg_relation;
        return plan_->publisher == RelationGetRelid(table) ? table->rd_rel->relowner
                                                           : owner_of_relation(plan_->publisher);
    }

    // Warns once in a session, until the publishing is allowed again.
    void refuse(Oid owner) {
        is_refused_ = true;
        table_.close();
        if (*plan_->has_warned)
            return;
        *plan_->has_warned = true;
        warn_of_missing_right(plan_->schema, plan_->table, channel_, owner);
    }

    const TriggerData* trigger_;
    const capture_plan* plan_;
    change_filter* filter_;
    bool expects_many_;
    bool is_open_;
    bool is_refused_;
    MemoryContext memory_;
    notification_table table_;
    channel channel_;
    notification_batch batch_;
    jsonb_writer json_;
};
static_assert(survives_longjmp<change_sink>);

void capture_row(const TriggerData& trigger, const capture_plan& plan) {
    change_sink sink = change_sink::make(trigger, plan, false);
    const operation what = operation_of(trigger);
    const bool is_insert = what == operation::insert;
    const row_change change = {.what = what,
                               .old_row = is_insert ? nullptr : trigger.tg_trigslot,
                               .new_row = is_insert                   ? trigger.tg_trigslot
                                          : what == operation::update ? trigger.tg_newslot
                                                                      : nullptr};
    if (change.old_row != nullptr)
        slot_getallattrs(change.old_row);
    if (change.new_row != nullptr)
        slot_getallattrs(change.new_row);
    sink.add(change);
    sink.end();
}

// Adds the rows of one firing, each in a memory context that is emptied after it; a single row in the context of the
// call.
class row_loop {
public:
    static row_loop begin(change_sink* sink) {
        return {sink, sink->expects_many()
                          ? AllocSetContextCreate(CurrentMemoryContext, "pgpubsub capture", ALLOCSET_DEFAULT_SIZES)
                          : nullptr};
    }
    void add(const row_change& change) {
        if (per_row_ == nullptr)
            return sink_->add(change);
        CHECK_FOR_INTERRUPTS();
        with_context(per_row_, [this, &change] { sink_->add(change); });
        MemoryContextReset(per_row_);
    }
    void end() {
        if (per_row_ != nullptr)
            MemoryContextDelete(per_row_);
    }

private:
    row_loop(change_sink* sink, MemoryContext per_row) : sink_(sink), per_row_(per_row) {}

    change_sink* sink_;
    MemoryContext per_row_;
};

void capture_rows(change_sink* sink, Tuplestorestate* rows, TupleDesc format, operation what) {
    transition_table table = transition_table::open(rows, format);
    row_loop loop = row_loop::begin(sink);
    while (TupleTableSlot* const row = table.next())
        loop.add(what == operation::insert ? row_change{what, nullptr, row} : row_change{what, row, nullptr});
    loop.end();
    table.close();
}

// PostgreSQL adds the old and the new version of a row together, so they are at the same position in both tables. There
// is one exception, on a partitioned table: a row leaves its partition, and a trigger refuses its insertion into the
// other partition. Such a row is only in the old table. Then nothing shows which versions belong together, and the
// changes are reported as deletes and inserts.
void capture_updates(change_sink* sink, Tuplestorestate* old_rows, Tuplestorestate* new_rows, TupleDesc format) {
    if (tuplestore_tuple_count(old_rows) != tuplestore_tuple_count(new_rows)) {
        capture_rows(sink, old_rows, format, operation::erase);
        capture_rows(sink, new_rows, format, operation::insert);
        return;
    }
    transition_table before = transition_table::open(old_rows, format);
    transition_table after = transition_table::open(new_rows, format);
    row_loop loop = row_loop::begin(sink);
    while (TupleTableSlot* const old_row = before.next())
        if (TupleTableSlot* const new_row = after.next())
            loop.add({operation::update, old_row, new_row});
    loop.end();
    after.close();
    before.close();
}

void capture_statement(const TriggerData& trigger, const capture_plan& plan) {
    const operation what = operation_of(trigger);
    Tuplestorestate* const old_rows = what == operation::insert ? nullptr : trigger.tg_oldtable;
    Tuplestorestate* const new_rows = what == operation::erase ? nullptr : trigger.tg_newtable;
    const auto count = [](Tuplestorestate* rows) { return rows == nullptr ? 0 : tuplestore_tuple_count(rows); };
    change_sink sink = change_sink::make(trigger, plan, Max(count(old_rows), count(new_rows)) > 1);
    if (what == operation::truncate)
        sink.add({what, nullptr, nullptr});
    else if (what == operation::update)
        capture_updates(&sink, old_rows, new_rows, plan.format);
    else
        capture_rows(&sink, new_rows != nullptr ? new_rows : old_rows, plan.format, what);
    sink.end();
}

problem problem_now(const TriggerData& trigger, const capture_plan& plan) {
    return plan.unusable.exists() ? plan.unusable
                                  : problem_of_tables(*trigger.tg_trigger, event_bit(operation_of(trigger)));
}

// Warns once for a statement, which is the lifetime of the trigger's call information.
void warn_once(FunctionCallInfo fcinfo, const problem& p, const TriggerData& trigger, const capture_plan& plan) {
    if (fcinfo->flinfo->fn_extra != nullptr)
        return;
    fcinfo->flinfo->fn_extra = fcinfo->flinfo;
    warn_of(p, *trigger.tg_trigger, plan);
}

// Returns the row with which PostgreSQL goes on after the trigger: if a BEFORE trigger returned nothing, the row would
// not be written.
Datum row_to_write(const TriggerData& trigger) {
    if (!TRIGGER_FIRED_BEFORE(trigger.tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger.tg_event))
        return no_row;
    return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger.tg_event) ? trigger.tg_newtuple : trigger.tg_trigtuple);
}

// Names the failed capture in the context of an error.
void add_context(void* argument) {
    const auto& trigger = *static_cast<const TriggerData*>(argument);
    const char* const table = RelationGetRelationName(trigger.tg_relation);
    if (trigger.tg_trigger->tgnargs == 0)
        errcontext("capture of the changes of table \"%s\"", table);
    else
        errcontext("capture of the changes of table \"%s\" into channel \"%s\"", table, trigger.tg_trigger->tgargs[0]);
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_capture) {
    const TriggerData& trigger = guarded_trigger(fcinfo);
    ErrorContextCallback context = {error_context_stack, add_context, const_cast<TriggerData*>(&trigger)};
    error_context_stack = &context;
    const capture_plan& plan = plan_of(trigger);
    if (const problem p = problem_now(trigger, plan); p.exists())
        warn_once(fcinfo, p, trigger, plan);
    else if (TRIGGER_FIRED_FOR_ROW(trigger.tg_event))
        capture_row(trigger, plan);
    else
        capture_statement(trigger, plan);
    error_context_stack = context.previous;
    return row_to_write(trigger);
}
