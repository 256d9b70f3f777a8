// The payload and the key of a captured change.
#pragma once

#include "capture/capture_plan.hpp"
#include "json/jsonb_writer.hpp"

namespace pgpubsub {

// Returns {"op", "schema", "table", "old", "new", "context"} as jsonb. It has "truncated": true if something had to be
// left out because jsonb can't be so large, and "filter_lost": true if the filter is no longer the one that was asked
// for. The result is in the writer's buffer, valid until its next use.
const Jsonb* payload_of(jsonb_writer* json, const capture_plan& plan, const row_change& change);

// Returns the key by which the changes of one row stay in order: the key of the row as it is now, or was at last; null
// if the table has no key, and for a truncate. In the current memory context.
const text* key_of(const capture_plan& plan, const row_change& change);

}  // namespace pgpubsub
