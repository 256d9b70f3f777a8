// The arguments of pgpubsub.attach(): their meaning for a table, and whether they agree.
#pragma once

#include "capture/attachment.hpp"

namespace pgpubsub {

struct attach_arguments {
    enum : int {
        relation,
        channel,
        events,
        columns,
        condition,
        granularity,
        payload,
        payload_columns,
        key_columns,
        always
    };
};

// Reads and checks the arguments of attach() after the channel. Errors: invalid_parameter_value (22023),
// null_value_not_allowed (22004), undefined_column (42703), duplicate_column (42701), invalid_column_reference (42P10),
// and PostgreSQL's own about the condition.
attachment attachment_arguments(FunctionCallInfo fcinfo, Relation table, const char* channel);

}  // namespace pgpubsub
