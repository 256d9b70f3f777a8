// Spans of time in microseconds, and points of time that lie ahead by one, without overflow.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// A month counts 30 days, as in PostgreSQL's own comparison of intervals; what is too long is the longest there is.
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

// For a message: as the session writes it.
inline const char* shown_interval(Datum interval) {
    return DatumGetCString(DirectFunctionCall1(interval_out, interval));
}

// The same of a number of microseconds, where the longest is what was too long to be one.
inline const char* shown_span(int64 microseconds) {
    return microseconds == PG_INT64_MAX ? "infinite" : shown_interval(interval_of(microseconds));
}

// `from` plus the time; infinity where that is beyond what a timestamp can be.
inline TimestampTz later_by(TimestampTz from, int64 microseconds) {
    TimestampTz result;
    if (pg_add_s64_overflow(from, microseconds, &result) || result >= END_TIMESTAMP)
        return DT_NOEND;
    return result < MIN_TIMESTAMP ? MIN_TIMESTAMP : result;
}

}  // namespace pgpubsub
