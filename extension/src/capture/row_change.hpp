// A change of a row, as a capture sees it.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

enum class operation { insert, update, erase, truncate };

// The row before and after; null if there is none. Both are in the format of the captured table, and deformed.
struct row_change {
    operation what;
    TupleTableSlot* old_row;
    TupleTableSlot* new_row;

    // The row as it is now, or was at last.
    TupleTableSlot* newest() const { return new_row != nullptr ? new_row : old_row; }
};

}  // namespace pgpubsub
