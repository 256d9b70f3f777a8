#include "channel/channel_settings.hpp"

#include "channel/channel_rows.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/interval.hpp"

namespace pgpubsub {
namespace {

[[noreturn]] void bad_value(const char* name, const char* value, const char* rule) {
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"%s\" must %s", name, rule),
            errdetail("It is %s.", value));
}

void check_interval(const optional_argument& a, const char* name) {
    if (a.is_given && microseconds_of(*DatumGetIntervalP(a.value)) < 0)
        bad_value(name, shown_interval(a.value), "not be negative");
}

void check_number(const optional_argument& a, const char* name, double low, double high, const char* rule) {
    // The comparison also refuses NaN.
    if (a.is_given && !(DatumGetFloat8(a.value) >= low && DatumGetFloat8(a.value) <= high))
        bad_value(name, DatumGetCString(DirectFunctionCall1(float8out, a.value)), rule);
}

bool is_empty_object(const Jsonb* json) { return JB_ROOT_IS_OBJECT(json) && JB_ROOT_COUNT(json) == 0; }

int64 microseconds_or(const optional_argument& a, int64 otherwise) {
    return a.is_given ? microseconds_of(*DatumGetIntervalP(a.value)) : otherwise;
}

}  // namespace

const char* subscription_settings::first_given() const {
    const struct {
        const optional_argument& argument;
        const char* name;
    } all[] = {
        {max_attempts, "max_attempts"},
        {backoff_base, "backoff_base"},
        {backoff_factor, "backoff_factor"},
        {backoff_max, "backoff_max"},
        {backoff_jitter, "backoff_jitter"},
        {history, "history"},
        {filter, "filter"},
    };
    for (const auto& one : all)
        if (one.argument.is_given)
            return one.name;
    return nullptr;
}

// Returns the interval for a message: as it was given, else the present one.
static const char* shown(const optional_argument& given, int64 present) {
    return given.is_given ? shown_interval(given.value) : shown_span(present);
}

void check_settings(const subscription_settings& settings, const subscription& present) {
    if (settings.max_attempts.is_given) {
        const int32 value = DatumGetInt32(settings.max_attempts.value);
        if (value < 0 || value > PG_INT16_MAX)
            bad_value("max_attempts", psprintf("%d", value), "lie between 0 (no limit) and 32767");
    }
    check_interval(settings.backoff_base, "backoff_base");
    check_interval(settings.backoff_max, "backoff_max");
    check_interval(settings.history, "history");
    check_number(settings.backoff_factor, "backoff_factor", 1, 1000, "lie between 1 and 1000");
    check_number(settings.backoff_jitter, "backoff_jitter", 0, 1, "lie between 0 and 1");

    const int64 base = microseconds_or(settings.backoff_base, present.back_off.base);
    const int64 max = microseconds_or(settings.backoff_max, present.back_off.max);
    if (base > max)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("\"backoff_base\" must not be more than \"backoff_max\""),
                errdetail("They would be %s and %s.", shown(settings.backoff_base, base),
                          shown(settings.backoff_max, max)));
}

void store_settings(const subscription_settings& s, int32 subscription_id) {
    const struct {
        const optional_argument& argument;
        AttrNumber column;
    } all[] = {
        {s.max_attempts, subscription_column::max_attempts},     {s.backoff_base, subscription_column::backoff_base},
        {s.backoff_factor, subscription_column::backoff_factor}, {s.backoff_max, subscription_column::backoff_max},
        {s.backoff_jitter, subscription_column::backoff_jitter}, {s.history, subscription_column::history},
    };
    column_value changes[lengthof(all) + 1];
    std::size_t count = 0;
    for (const auto& one : all)
        if (one.argument.is_given)
            changes[count++] = {one.column, one.argument.value};
    if (s.filter.is_given)
        changes[count++] = {subscription_column::filter, s.filter.value,
                            is_empty_object(DatumGetJsonbP(s.filter.value))};
    if (count > 0)
        update_subscription(subscription_id, {changes, count});
}

void contradicting_arguments(const char* one, const char* other, const char* why) {
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("arguments \"%s\" and \"%s\" contradict each other", one, other), errdetail("%s", why));
}

}  // namespace pgpubsub
