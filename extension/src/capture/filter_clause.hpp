// The filter of an attachment as the WHEN of its filter trigger: checked, written, and parsed as CREATE TRIGGER will
// parse it.
#pragma once

#include "capture/attachment.hpp"

namespace pgpubsub {

// filter_clause() returns the WHEN of the filter trigger (capture_settings.hpp) as SQL; parse_filter_clause() as
// PostgreSQL will store it.
const char* filter_clause(const attachment& a);
Node* parse_filter_clause(Relation table, const char* clause);

// Checks that the text is one boolean expression over OLD and NEW, as the WHEN of a trigger takes it, and can't be read
// as more than that between parentheses. Names in it are looked up by the caller's search_path.
void check_condition(Relation table, const char* condition);

}  // namespace pgpubsub
