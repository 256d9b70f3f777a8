// Spans of time in microseconds, and times that lie a span ahead, without overflow.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns the span in microseconds. A month counts 30 days, as in PostgreSQL's own comparison of intervals. A span that
// is too long becomes the longest that fits.
inline int64 microseconds_of(const Interval& span) {
    int64 days;
    int64 result;
    if (pg_mul_s64_overflow(static_cast<int64>(span.month) * DAYS_PER_MONTH + span.day, USECS_PER_DAY, &days) ||
        pg_add_s64_overflow(days, span.time, &result))
        return span.month < 0 || (span.month == 0 && span.day < 0) ? PG_INT64_MIN : PG_INT64_MAX;
    return result;
}

inline Datum interval_of(int64 microseconds) {
    auto* const span = static_cast<Interval*>(palloc0(sizeof(Interval)));
    span->time = microseconds;
    return IntervalPGetDatum(span);
}

// Returns the interval for a message, in the style of the session.
inline const char* shown_interval(Datum interval) {
    return DatumGetCString(DirectFunctionCall1(interval_out, interval));
}

// Returns the same for a number of microseconds. The largest number stands for all spans that were too long.
inline const char* shown_span(int64 microseconds) {
    return microseconds == PG_INT64_MAX ? "infinite" : shown_interval(interval_of(microseconds));
}

// Returns `from` plus the span; infinity if the sum is beyond the last timestamp.
inline TimestampTz later_by(TimestampTz from, int64 microseconds) {
    TimestampTz result;
    if (pg_add_s64_overflow(from, microseconds, &result) || result >= END_TIMESTAMP)
        return DT_NOEND;
    return result < MIN_TIMESTAMP ? MIN_TIMESTAMP : result;
}

}  // namespace pgpubsub
