// How long a consumer that found nothing may sleep.
#pragma once

#include "claim/claimer.hpp"

namespace pgpubsub {

// What another transaction is at just now comes back if that is rolled back.
enum class busy_rows { count, dont_count };

// When something can be claimed next, as far as it is known: a time that is past where something can be claimed now.
// False: not before something is published, or given back.
bool find_next_due(const claim_request& request, busy_rows busy, TimestampTz* at);

}  // namespace pgpubsub
