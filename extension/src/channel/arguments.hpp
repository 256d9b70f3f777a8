// Reads the arguments of SQL functions. Its errors name the argument.
#pragma once

#include "channel/channel.hpp"
#include "pg/interval.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// The positions of an SQL function's arguments have the names that the script gives them. They stand before the
// function, in a struct that is named after the function's symbol:
//
//     struct publish_arguments {
//         enum : int { channel, payload, ... };
//     };
//
// Forms of former versions may lack some arguments at the end. test/lib/check-catalog.pl compares the names with the
// scripts.

// Errors: null_value_not_allowed (22004).
inline void require(FunctionCallInfo fcinfo, int index, const char* name) {
    if (PG_ARGISNULL(index))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", name));
}

inline std::string_view text_argument(FunctionCallInfo fcinfo, int index, const char* name) {
    require(fcinfo, index, name);
    return view_of(PG_GETARG_TEXT_PP(index));
}

// Returns the argument; null if it is null.
inline const Jsonb* optional_jsonb_argument(FunctionCallInfo fcinfo, int index) {
    return PG_ARGISNULL(index) ? nullptr : PG_GETARG_JSONB_P(index);
}

// Returns a count, which is a bigint; in the catalog of 0.1.0 it was an integer. A count of more than an int holds is
// no limit: neither a result nor a transaction can have so many rows. Errors: invalid_parameter_value (22023) if the
// count is below 1.
enum class count_type { integer, bigint };
inline int count_argument(FunctionCallInfo fcinfo, int index, const char* name, count_type type) {
    require(fcinfo, index, name);
    const int64 value = type == count_type::bigint ? PG_GETARG_INT64(index) : PG_GETARG_INT32(index);
    if (value < 1)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"%s\" must be at least 1", name),
                errdetail("It is %lld.", static_cast<long long>(value)));
    return static_cast<int>(Min(value, int64{PG_INT32_MAX}));
}

enum class smallest_interval { zero, above_zero };

// The longest span. Each of its parts, and any two of them together, lead to a time that PostgreSQL has.
inline constexpr int longest_span_years = 90'000;

inline bool is_longer_than_any(const Interval& span) {
    constexpr int64 days = longest_span_years * int64{366};
    return span.month > longest_span_years * MONTHS_PER_YEAR || span.day > days || span.time / USECS_PER_DAY > days;
}

// Returns the time that lies the interval argument after `reference`. `reference` is the clock's now, since a
// transaction's own now() may be long ago. Errors: invalid_parameter_value (22023) if the interval is too small or too
// long.
inline TimestampTz deadline_argument(FunctionCallInfo fcinfo, int index, const char* name, TimestampTz reference,
                                     smallest_interval smallest) {
    require(fcinfo, index, name);
    const Datum span = PG_GETARG_DATUM(index);
    const auto refuse = [&](const char* rule) {
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"%s\" must %s", name, rule),
                errdetail("It is %s.", shown_interval(span)));
    };
    const char* const too_small = smallest == smallest_interval::zero ? "not be negative" : "be more than zero";
    if (microseconds_of(*DatumGetIntervalP(span)) < 0)
        refuse(too_small);
    if (is_longer_than_any(*DatumGetIntervalP(span)))
        refuse("not be longer than 90000 years");
    const TimestampTz deadline =
        DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(reference), span));
    if (deadline < reference || (deadline == reference && smallest == smallest_interval::above_zero))
        refuse(too_small);
    return deadline;
}

}  // namespace pgpubsub
