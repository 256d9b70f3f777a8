// How long a consumer that found nothing may sleep.
#pragma once

#include "claim/claimer.hpp"

namespace pgpubsub {

// A row that another transaction is changing now comes back if that transaction rolls back.
enum class busy_rows { count, dont_count };

// Finds when a row can next be claimed, as far as that is known; the time is past if a row can be claimed now. Returns
// false if no row can be claimed before something is published or given back.
bool find_next_due(const claim_request& request, busy_rows busy, TimestampTz* at);

}  // namespace pgpubsub
