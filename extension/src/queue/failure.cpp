#include "queue/failure.hpp"

#include "channel/arguments.hpp"
#include "channel/table_columns.hpp"
#include "pg/interval.hpp"
#include "queue/archive.hpp"
#include "queue/stat_count.hpp"

namespace pgpubsub {
namespace {

// Returns the error as it is stored. Of an error that is too long, only the beginning and the end, cut between
// characters: there, programs say what happened.
const text* storable(const text* error) {
    const std::string_view whole = view_of(error);
    if (whole.size() <= max_error_bytes)
        return error;
    constexpr int part = max_error_bytes / 2 - 64;
    const int size = static_cast<int>(whole.size());
    const int head = pg_mbcliplen(whole.data(), size, part);
    const int tail = pg_mbcliplen(whole.data(), size, size - part);
    return cstring_to_text(psprintf("%.*s ... (%d bytes are cut out here) ... %.*s", head, whole.data(), tail - head,
                                    size - tail, whole.data() + tail));
}

}  // namespace

failure read_failure(FunctionCallInfo fcinfo, int delay, int error, int reject) {
    failure f{};
    f.has_delay = !PG_ARGISNULL(delay);
    if (f.has_delay)
        f.retry_at = deadline_argument(fcinfo, delay, "delay", GetCurrentTimestamp(), smallest_interval::zero);
    f.error = PG_ARGISNULL(error) ? nullptr : storable(PG_GETARG_TEXT_PP(error));
    require(fcinfo, reject, "reject");
    f.reject = PG_GETARG_BOOL(reject);
    return f;
}

TM_Result bury(notification_table& table, ItemPointer tid, const row_values& row, const char* error) {
    const TM_Result outcome = table.remove(tid, false);
    if (outcome != TM_Ok)
        return outcome;
    store_dead_letter(row, error == nullptr ? nullptr : cstring_to_text(error));
    count_failed(DatumGetInt32(row.get(column::subscription_id)));
    return outcome;
}

bool is_used_up(const row_values& row, const subscription& s) {
    return s.max_attempts > 0 && DatumGetInt16(row.get(column::attempts)) >= s.max_attempts;
}

void prepare_retry(row_values* row, const subscription& s, const failure& f) {
    const TimestampTz now = GetCurrentTimestamp();
    const TimestampTz retry_at = f.has_delay
                                     ? f.retry_at
                                     : later_by(now, delay_after(s.back_off, DatumGetInt16(row->get(column::attempts)),
                                                                 pg_prng_double(&pg_global_prng_state)));
    make_ready(row);
    set_due(row, retry_at);
    if (f.error != nullptr)
        row->set(column::last_error, PointerGetDatum(f.error));
}

}  // namespace pgpubsub
