// The session's plans, by trigger.
//
// Callbacks only mark plans as out of date. A plan may be in use at that moment, and may itself have caused the
// reported change through its condition. A replaced plan is freed when the transaction ends and nothing runs any more.
#include "capture/capture_plan.hpp"

#include "capture/capture_trigger.hpp"
#include "capture/row_key.hpp"
#include "pg/compat.hpp"
#include "pg/hash_table.hpp"

namespace pgpubsub {
namespace {

struct plan_entry {
    Oid trigger;  // the hash key
    Oid table;
    uint32 changes;      // reported to the session so far
    uint32 made_at;      // the value of `changes` when the plan was made
    uint64 types;        // the generation of types at that time
    capture_plan* plan;  // null: not yet made
    MemoryContext memory;

    bool is_valid() const { return plan != nullptr && made_at == changes && types == type_generation(); }
};
static_assert(survives_longjmp<plan_entry>);

HTAB* plans = nullptr;
MemoryContext replaced_plans = nullptr;
bool some_are_out_of_date = false;

template <typename F>
void for_each_plan(F f) {
    if (plans == nullptr)
        return;
    HASH_SEQ_STATUS all;
    hash_seq_init(&all, plans);
    while (auto* const entry = static_cast<plan_entry*>(hash_seq_search(&all)))
        f(entry);
}

template <typename F>
void forget_plans_if(F is_meant) {
    for_each_plan([is_meant](plan_entry* entry) {
        if (!is_meant(*entry))
            return;
        ++entry->changes;
        some_are_out_of_date = true;
    });
}

void forget_plans_of_table(Datum, Oid table) {
    forget_plans_if([table](const plan_entry& entry) { return !OidIsValid(table) || entry.table == table; });
}
void forget_all_plans(Datum, syscache_id, uint32) {
    forget_plans_if([](const plan_entry&) { return true; });
}
// Called when a function was replaced, or a type got operators.
void forget_plans_with_filter(Datum, syscache_id, uint32) {
    forget_plans_if([](const plan_entry& entry) { return entry.plan == nullptr || entry.plan->filter != nullptr; });
}

void give_back_plans(XactEvent event, void*) {
    if (!some_are_out_of_date ||
        (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
        return;
    MemoryContextDeleteChildren(replaced_plans);
    for_each_plan([](plan_entry* entry) {
        if (entry->is_valid())
            return;
        if (entry->memory != nullptr)
            MemoryContextDelete(entry->memory);
        hash_search(plans, &entry->trigger, HASH_REMOVE, nullptr);
    });
    some_are_out_of_date = false;
}

std::span<const AttrNumber> copy_of(std::span<const AttrNumber> columns) {
    auto* const array = static_cast<AttrNumber*>(palloc(Max(columns.size(), 1) * sizeof(AttrNumber)));
    std::copy(columns.begin(), columns.end(), array);
    return {array, columns.size()};
}

std::span<const AttrNumber> array_of(const List* numbers) {
    const auto count = static_cast<std::size_t>(list_length(numbers));
    auto* const array = static_cast<AttrNumber*>(palloc(Max(count, 1) * sizeof(AttrNumber)));
    for (std::size_t i = 0; i < count; ++i)
        array[i] = static_cast<AttrNumber>(list_nth_int(numbers, static_cast<int>(i)));
    return {array, count};
}

// Returns all columns except virtual generated ones, whose values a trigger does not get.
std::span<const AttrNumber> all_columns(TupleDesc format) {
    auto* const array = static_cast<AttrNumber*>(palloc(Max(format->natts, 1) * sizeof(AttrNumber)));
    std::size_t count = 0;
    for (int i = 0; i < format->natts; ++i)
        if (const Form_pg_attribute column = TupleDescAttr(format, i); !column->attisdropped && !is_virtual(*column))
            array[count++] = static_cast<AttrNumber>(i + 1);
    return {array, count};
}

// A change to an attached table after which the capture is not what was asked for. PostgreSQL permits such changes.
struct flaw {
    const char* what;
    const char* detail;
};

// Returns the flaw, if writes by another table's name concern this table, or the other way round.
flaw flaw_of_relatives(const TriggerData& trigger) {
    const FormData_pg_class& facts = *trigger.tg_relation->rd_rel;
    if (TRIGGER_FIRED_FOR_ROW(trigger.tg_event) || TRIGGER_FIRED_BY_TRUNCATE(trigger.tg_event))
        return {};
    if (facts.relispartition)
        return {"has become a partition", "What is written into it through its partitioned table is not captured."};
    if (facts.relhassubclass && !TRIGGER_FIRED_BY_INSERT(trigger.tg_event) && facts.relkind == RELKIND_RELATION &&
        find_inheritance_children(RelationGetRelid(trigger.tg_relation), NoLock) != NIL)
        return {"has got a child by inheritance",
                "Updates and deletes by its name are captured of its children's rows too."};
    return {};
}

void warn_of(const flaw& f, const capture_plan& plan) {
    if (f.what != nullptr)
        ereport(WARNING, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("table \"%s\", which is captured into channel \"%s\", %s", plan.table, plan.channel, f.what),
                errdetail("%s", f.detail),
                errhint("Call pgpubsub.attach() again for this table, or the partitioned table that it belongs to."));
}

// Returns the table for which a trigger was made, if a partition has the trigger from there.
Oid origin_of(Oid trigger, Oid table) {
    const Relation triggers = table_open(TriggerRelationId, AccessShareLock);
    while (OidIsValid(trigger)) {
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
        const SysScanDesc scan = systable_beginscan(triggers, TriggerOidIndexId, true, nullptr, 1, &key);
        const HeapTuple tuple = systable_getnext(scan);
        trigger = InvalidOid;
        if (HeapTupleIsValid(tuple)) {
            const auto& facts = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
            table = facts.tgrelid;
            trigger = facts.tgparentid;
        }
        systable_endscan(scan);
    }
    table_close(triggers, AccessShareLock);
    return table;
}

// Makes the plan, in the current memory context.
capture_plan* make_plan(const TriggerData& trigger) {
    const Relation table = trigger.tg_relation;
    const char* const schema = get_namespace_name(RelationGetNamespace(table));

    auto* const plan = static_cast<capture_plan*>(palloc0(sizeof(capture_plan)));
    plan->unusable = problem_of(*trigger.tg_trigger);
    plan->publisher = trigger.tg_trigger->tgisclone ? origin_of(trigger.tg_trigger->tgoid, RelationGetRelid(table))
                                                    : RelationGetRelid(table);
    plan->schema = schema == nullptr ? "" : schema;
    plan->table = pstrdup(RelationGetRelationName(table));
    if (plan->unusable.exists())
        return plan;
    const capture_settings settings = settings_of(*trigger.tg_trigger);
    plan->has_warned = static_cast<bool*>(palloc0(sizeof(bool)));
    plan->channel = pstrdup(settings.channel);
    plan->payload = settings.payload;
    plan->format = CreateTupleDescCopyConstr(RelationGetDescr(table));

    capture_filter filter{};
    const bool lost = settings.filtered && !find_filter(table, settings.channel, &filter);
    plan->always_has_key = filter.key_columns != NIL;
    plan->key = plan->always_has_key ? array_of(filter.key_columns) : copy_of(default_key_columns(table));
    plan->filter_lost = lost || filter.lost;
    plan->listed = lost || filter.has_no_payload_columns || settings.payload == payload_choice::key ? plan->key
                   : filter.payload_columns != NIL ? array_of(filter.payload_columns)
                                                   : all_columns(plan->format);
    plan->columns = plan->listed.empty() ? nullptr : describe_columns(make_type_graph(), plan->format, plan->listed);
    plan->key_parts = describe_key(plan->format, plan->key);
    if (filter.columns != NIL || filter.condition != nullptr)
        plan->filter = change_filter::make(table, plan->format, filter);
    warn_of(flaw_of_relatives(trigger), *plan);
    if (lost)
        warn_of({"has lost the filter of the capture", "All changes are captured now, with the key columns only."},
                *plan);
    else if (filter.lost)
        warn_of({"has lost columns of the filter of the capture",
                 "A list of columns holds none any more, or one that can't be found; what is left of it counts."},
                *plan);
    else if (plan->listed.empty() && settings.payload == payload_choice::key)
        warn_of({"has lost its key", "The rows in its payloads, which hold the key columns, are empty."}, *plan);
    return plan;
}

plan_entry* entry_of(Oid trigger, Oid table) {
    if (plans == nullptr) {
        plans = make_hash_table<Oid, plan_entry>("pgpubsub capture plans", TopMemoryContext, 32);
        replaced_plans = AllocSetContextCreate(CacheMemoryContext, "pgpubsub replaced plans", ALLOCSET_SMALL_SIZES);
    }
    bool found;
    auto* const entry = static_cast<plan_entry*>(hash_search(plans, &trigger, HASH_ENTER, &found));
    if (!found)
        *entry = {.trigger = trigger, .table = table};
    return entry;
}

}  // namespace

void watch_capture_plans() {
    CacheRegisterRelcacheCallback(forget_plans_of_table, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, forget_all_plans, 0);
    CacheRegisterSyscacheCallback(PROCOID, forget_plans_with_filter, 0);
    CacheRegisterSyscacheCallback(CLAOID, forget_plans_with_filter, 0);
    RegisterXactCallback(give_back_plans, nullptr);
}

const capture_plan& plan_of(const TriggerData& trigger) {
    plan_entry* const entry = entry_of(trigger.tg_trigger->tgoid, RelationGetRelid(trigger.tg_relation));
    if (entry->is_valid())
        return *entry->plan;

    // A change that is reported while the plan is made counts as a change after it.
    const uint32 changes = entry->changes;
    const uint64 types = type_generation();
    const MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub capture plan", ALLOCSET_SMALL_SIZES);
    capture_plan* const plan = with_context(memory, [&trigger] { return make_plan(trigger); });
    if (entry->memory != nullptr) {
        MemoryContextSetParent(entry->memory, replaced_plans);
        some_are_out_of_date = true;
    }
    MemoryContextSetParent(memory, CacheMemoryContext);
    entry->memory = memory;
    entry->plan = plan;
    entry->made_at = changes;
    entry->types = types;
    return *plan;
}

}  // namespace pgpubsub
