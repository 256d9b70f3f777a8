// A row of the notification table: its values, and the values that are derived from others.
#pragma once

#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// A row's values, indexed by column number.
struct row_values {
    Datum values[column::count];
    bool nulls[column::count];

    // Returns a row of nulls.
    static row_values empty() {
        row_values row;
        memset(row.nulls, true, sizeof row.nulls);
        return row;
    }
    // Returns the values of the row in the slot. They point into the row, and are valid as long as it is.
    static row_values of(TupleTableSlot* slot);

    void set(AttrNumber c, Datum value) {
        values[c - 1] = value;
        nulls[c - 1] = false;
    }
    void set_null(AttrNumber c) { nulls[c - 1] = true; }
    bool is_null(AttrNumber c) const { return nulls[c - 1]; }
    Datum get(AttrNumber c) const { return values[c - 1]; }

    // Returns the number of attempts plus one; it ends at the largest smallint.
    int16 next_attempt() const {
        const int16 attempts = DatumGetInt16(get(column::attempts));
        return attempts == PG_INT16_MAX ? attempts : attempts + 1;
    }
};

// Makes the row due at that time, or now if that time is past. Every due_at must be stored by this function: place.hpp
// needs that.
void set_due(row_values* row, TimestampTz at);

// Makes a row ready that was handed out before, or held back: due now, and with the time at which it was given back.
// The row stays among those that have a due_at: key_order.hpp needs that, and among the ready rows it would come back
// below what place.hpp remembers.
void make_ready(row_values* row);

// Returns when the row was given back, by the clock that made its due_at; DT_NOBEGIN if it was not given back, or is
// leased again. The time is in the column of the lease's owner, which a row without a lease does not have.
TimestampTz given_back_at(const row_values& row);

// Returns what stands for the key in an ordered channel: a hash, so that a key of any length fits an index. Two keys
// with the same hash would wait for each other; there is no other effect. A notification without a key (null) waits for
// no other one.
int64 order_key_of(const text* key, int64 id);

// Sets the row's order_key by its key; to null if the channel is not ordered.
void set_order_key(row_values* row, const channel& c);

}  // namespace pgpubsub
