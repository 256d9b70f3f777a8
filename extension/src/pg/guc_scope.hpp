// Runs code with fixed settings, whatever the session has set.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct fixed_setting {
    const char* name;
    const char* value;
};

// For code that must find no planted objects: nobody can plant anything in these schemas.
inline constexpr fixed_setting safe_search_path[] = {{"search_path", "pg_catalog, pg_temp"}};

inline constexpr fixed_setting bytea_settings[] = {{"bytea_output", "hex"}};

// All settings on which the text of a value of PostgreSQL's own types depends. Text that serves as an identity is made
// with these.
inline constexpr fixed_setting text_settings[] = {
    {"search_path", "pg_catalog, pg_temp"},
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO, MDY"},
    {"IntervalStyle", "postgres"},
    {"bytea_output", "hex"},
    {"extra_float_digits", "1"},
    {"lc_monetary", "C"},
    {"xmlbinary", "base64"},
    {"quote_all_identifiers", "off"},
    {"lc_numeric", "C"},
    {"lc_time", "C"},
};

// Runs f with the settings. After an ERROR, the end of the (sub)transaction puts the old ones back.
template <std::size_t count, typename F>
auto with_settings(const fixed_setting (&settings)[count], F f) {
    const int nest_level = NewGUCNestLevel();
    for (const fixed_setting& s : settings)
        if (const char* const now = GetConfigOption(s.name, true, false); now == nullptr || strcmp(now, s.value) != 0)
            set_config_option(s.name, s.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    const auto result = f();
    AtEOXact_GUC(true, nest_level);
    return result;
}

}  // namespace pgpubsub
