// pgpubsub.idempotency_key(id, created_at): a consumer that does something outside the database recognises a repetition
// by it.
//
// Guarantee: the key is the same for each attempt of a notification, and for all its copies. No other notification ever
// has it. The id alone does not suffice: after a fail-over to a standby that had not received everything, and after a
// recovery to an earlier point in time, ids are given a second time. `created_at` is the time of the transaction that
// published; a second time, it is a later one.
#include "channel/arguments.hpp"

using namespace pgpubsub;

struct idempotency_key_arguments {
    enum : int { id, created_at };
};

// The time is in microseconds since 1970, as a decimal number, so that no setting of a session plays a part.
PGPUBSUB_FUNCTION(pgpubsub_idempotency_key) {
    constexpr int64 epoch = int64{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * USECS_PER_DAY;
    const int64 id = PG_GETARG_INT64(idempotency_key_arguments::id);
    const TimestampTz created_at = PG_GETARG_TIMESTAMPTZ(idempotency_key_arguments::created_at);
    if (TIMESTAMP_NOT_FINITE(created_at))
        ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("argument \"created_at\" must be finite"));
    PG_RETURN_TEXT_P(
        cstring_to_text(psprintf("%lld-%lld", static_cast<long long>(id), static_cast<long long>(created_at + epoch))));
}
