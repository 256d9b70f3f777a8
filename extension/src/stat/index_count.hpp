// How many rows an index holds for a value of its first column: exact if they are few, otherwise estimated from a
// sample.
//
// Works only for the btree indexes of this extension whose first column is an integer that is never null.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Up to this many rows are counted one by one.
inline constexpr int64 exact_limit = 10'000;
// Up to this many entries are passed over meanwhile: most of them those of removed rows.
inline constexpr int64 walked_entries_limit = 2 * exact_limit;

struct row_count {
    double rows;
    bool exact;
};

// Counts the rows of the table that `snapshot` sees and whose entry in `index` begins with `key`.
row_count count_rows(Relation heap, Oid index, int32 key, Snapshot snapshot);

// Returns whether the rows lie so close together in the index that walking over them takes no longer than sampling
// them.
bool is_short_range(Oid index, int32 key);

// The function that is called for each row of a sample, with the number of rows for which it stands. It refers to a
// callable that must outlive it.
class row_visitor {
public:
    template <typename F>
    row_visitor(F& f)
        : object_(&f), call_([](void* object, TupleTableSlot* row, double stands_for) {
              (*static_cast<F*>(object))(row, stands_for);
          }) {}
    void operator()(TupleTableSlot* row, double stands_for) const { call_(object_, row, stands_for); }

private:
    void* object_;
    void (*call_)(void* object, TupleTableSlot* row, double stands_for);
};

// Visits some of those rows, taken evenly from the whole range. The numbers for which the visited rows stand add up to
// the estimated number of rows; for rows with any property, to the estimated number of rows with it.
void sample_rows(Relation heap, Oid index, int32 key, Snapshot snapshot, row_visitor visit);

}  // namespace pgpubsub
