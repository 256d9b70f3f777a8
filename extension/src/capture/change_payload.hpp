// The payload and the key of a captured change.
#pragma once

#include "capture/capture_plan.hpp"
#include "json/jsonb_writer.hpp"

namespace pgpubsub {

// {"op", "schema", "table", "old", "new", "context"} as jsonb, and "truncated": true where something had to be left out
// because jsonb can't be so large, and "filter_lost": true where the filter is no longer what was asked for. In the
// writer's buffer, valid until its next use.
const Jsonb* payload_of(jsonb_writer* json, const capture_plan& plan, const row_change& change);

// The key by which the changes of one row stay in order: that of the row as it is now, or was at last; null where the
// table has none, and for a truncate. In the current memory context.
const text* key_of(const capture_plan& plan, const row_change& change);

}  // namespace pgpubsub
