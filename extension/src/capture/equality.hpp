// The function that compares the values of a type.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns the function of the type's equality for an index. Returns InvalidOid if the type has none, or if a part of it
// (an element, a column, a bound of a range) has none, so that comparing two values would be an error.
Oid equality_of(Oid type);

}  // namespace pgpubsub
