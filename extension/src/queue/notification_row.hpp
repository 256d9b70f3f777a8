// A row of the notification table: its values, and those that are derived from others.
#pragma once

#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// A row's values, indexed by column number.
struct row_values {
    Datum values[column::count];
    bool nulls[column::count];

    // All null.
    static row_values empty() {
        row_values row;
        memset(row.nulls, true, sizeof row.nulls);
        return row;
    }
    // Of the row in the slot. They point into it, and hold as long as it does.
    static row_values of(TupleTableSlot* slot);

    void set(AttrNumber c, Datum value) {
        values[c - 1] = value;
        nulls[c - 1] = false;
    }
    void set_null(AttrNumber c) { nulls[c - 1] = true; }
    bool is_null(AttrNumber c) const { return nulls[c - 1]; }
    Datum get(AttrNumber c) const { return values[c - 1]; }

    // The number of attempts with one more; it ends at the largest smallint.
    int16 next_attempt() const {
        const int16 attempts = DatumGetInt16(get(column::attempts));
        return attempts == PG_INT16_MAX ? attempts : attempts + 1;
    }
};

// Makes the row due at that time, or now if it is past. Every due_at is stored by this: place.hpp needs it so.
void set_due(row_values* row, TimestampTz at);

// Makes a row ready that was handed out before, or held back: due now. It stays among those that have a due_at:
// key_order.hpp needs it so, and among the ready ones it would come back below what place.hpp remembers. It is told
// when it was given back.
void make_ready(row_values* row);

// When the row was given back, by the clock that its due_at was made by; DT_NOBEGIN for one that was not, or is leased
// again. The column is that of the lease's owner, which a row without a lease has not.
TimestampTz given_back_at(const row_values& row);

// What stands for the key in an ordered channel: a hash, so that a key of any length fits an index. Two keys with the
// same hash would wait for each other, and nothing else. A notification without a key (null) waits for no other one.
int64 order_key_of(const text* key, int64 id);

// Sets the row's order_key by its key, or to null where the channel is not ordered.
void set_order_key(row_values* row, const channel& c);

}  // namespace pgpubsub
