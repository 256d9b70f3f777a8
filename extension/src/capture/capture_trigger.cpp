#include "capture/capture_trigger.hpp"

#include "capture/capture_plan.hpp"
#include "channel/catalog.hpp"
#include "channel/channel.hpp"

namespace pgpubsub {

const char* const capture_usage =
    "Use it as CREATE TRIGGER ... AFTER INSERT OR UPDATE OR DELETE ON ... FOR EACH ROW EXECUTE FUNCTION "
    "pgpubsub.capture('channel'), or call pgpubsub.attach().";

namespace {

constexpr int wrong_form = ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED;
constexpr int16 all_events = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE;

// Reads constants only: no part of the expression is run.
bool is_never_true(const Node* node) {
    if (IsA(node, Const)) {
        const auto& c = *reinterpret_cast<const Const*>(node);
        return c.constisnull || (c.consttype == BOOLOID && !DatumGetBool(c.constvalue));
    }
    if (IsA(node, BooleanTest)) {
        const auto& test = *reinterpret_cast<const BooleanTest*>(node);
        return test.booltesttype == IS_TRUE && is_never_true(reinterpret_cast<const Node*>(test.arg));
    }
    if (!IsA(node, BoolExpr) || reinterpret_cast<const BoolExpr*>(node)->boolop != AND_EXPR)
        return false;
    const ListCell* cell;
    foreach (cell, reinterpret_cast<const BoolExpr*>(node)->args)
        if (is_never_true(static_cast<const Node*>(lfirst(cell))))
            return true;
    return false;
}

bool never_fires(const Trigger& trigger) {
    return trigger.tgqual != nullptr && is_never_true(static_cast<const Node*>(stringToNode(trigger.tgqual)));
}

problem problem_of_arguments(const Trigger& trigger) {
    capture_settings settings;
    const char* what;
    if (trigger.tgnargs == 0)
        return {ERRCODE_INVALID_PARAMETER_VALUE, "pgpubsub.capture() needs an argument, the channel", nullptr,
                capture_usage};
    if (!read_settings({trigger.tgargs, static_cast<std::size_t>(trigger.tgnargs)}, &settings, &what))
        return {ERRCODE_INVALID_PARAMETER_VALUE, what, nullptr,
                "It takes the channel and, after it, one of 'payload=full', 'payload=new', 'payload=changed' and "
                "'payload=key'."};
    if (settings.is_filter)
        return {wrong_form, "a trigger with the argument \"filter\" must not fire", nullptr, capture_usage};
    return problem_of_name(settings.channel, "channel");
}

// Returns the trigger that the command has made, while its table is open; null: there is none, or it does not call
// capture().
const Trigger* made_trigger(Relation table, const char* name) {
    const Oid capture = capture_function();  // first, because a look-up may rebuild the table's relcache entry
    const TriggerDesc* const triggers = table->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
        if (strcmp(triggers->triggers[i].tgname, name) == 0)
            return triggers->triggers[i].tgfoid == capture ? &triggers->triggers[i] : nullptr;
    return nullptr;
}

void check(const Trigger& trigger) {
    if (never_fires(trigger))
        return;
    problem p = problem_of(trigger);
    if (!p.exists())
        p = problem_of_tables(trigger, trigger.tgtype & all_events);
    if (p.exists())
        raise(p);
}

}  // namespace

problem problem_of(const Trigger& trigger) {
    if (TRIGGER_FOR_INSTEAD(trigger.tgtype))
        return {wrong_form, "pgpubsub.capture() can't be an INSTEAD OF trigger", nullptr,
                "Capture the changes of the tables below the view."};
    if (!TRIGGER_FOR_AFTER(trigger.tgtype))
        return {wrong_form, "pgpubsub.capture() must be an AFTER trigger", nullptr, capture_usage};
    return problem_of_arguments(trigger);
}

problem problem_of_tables(const Trigger& trigger, int16 events) {
    if (TRIGGER_FOR_ROW(trigger.tgtype))
        return {};
    const bool lacks_old = trigger.tgoldtable == nullptr && (events & (TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE)) != 0;
    const bool lacks_new = trigger.tgnewtable == nullptr && (events & (TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_INSERT)) != 0;
    if (!lacks_old && !lacks_new)
        return {};
    return {wrong_form,
            psprintf("pgpubsub.capture() as a trigger FOR EACH STATEMENT needs REFERENCING%s%s",
                     lacks_old ? " OLD TABLE AS ..." : "", lacks_new ? " NEW TABLE AS ..." : ""),
            nullptr,
            "Call pgpubsub.attach(), which makes the triggers that are needed, or add the clause, in a trigger for "
            "each event."};
}

void check_trigger_after(const Node* command) {
    // A trigger that existed before pg_upgrade must exist after it.
    if (!IsA(command, CreateTrigStmt) || creating_extension || IsBinaryUpgrade || !is_installed())
        return;
    const auto& made = *reinterpret_cast<const CreateTrigStmt*>(command);
    CommandCounterIncrement();
    const Oid oid = RangeVarGetRelid(made.relation, NoLock, true);
    const Relation table = OidIsValid(oid) ? try_relation_open(oid, AccessShareLock) : nullptr;
    if (table == nullptr)
        return;
    if (const Trigger* const trigger = made_trigger(table, made.trigname); trigger != nullptr)
        check(*trigger);
    relation_close(table, AccessShareLock);
}

void warn_of(const problem& p, const Trigger& trigger, const capture_plan& plan) {
    const char* const table = get_rel_name(plan.publisher);
    const char* const schema = get_namespace_name(get_rel_namespace(plan.publisher));
    ereport(WARNING, errcode(p.code),
            errmsg("changes of table \"%s.%s\" are not captured by trigger \"%s\": %s", plan.schema, plan.table,
                   trigger.tgname, p.message),
            p.detail == nullptr ? 0 : errdetail("%s", p.detail),
            errhint("Remove it by DROP TRIGGER %s ON %s.%s%s", quote_identifier(trigger.tgname),
                    schema == nullptr || table == nullptr ? "..." : quote_qualified_identifier(schema, table),
                    p.hint == nullptr ? "" : " ", p.hint == nullptr ? "" : p.hint));
}

}  // namespace pgpubsub
