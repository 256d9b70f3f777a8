// By which function values of a type are compared.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// The function of the type's equality for an index; InvalidOid: it has none, or a part of it has none (an element, a
// column, a bound of a range), so that comparing two values would be an error.
Oid equality_of(Oid type);

}  // namespace pgpubsub
