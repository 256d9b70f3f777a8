// Making a connection.
#pragma once

#include "pq/conninfo.hpp"
#include "pq/pq.hpp"

namespace pgpubsub::inline v0 {

class inbox;

// Connects to the first of the hosts that accepts. Throws error (08001, 08004, 53300, 57P03) with a hint. Throws
// interrupted if `in` is given and another stop is posted to it meanwhile.
pg_connection connect(const conninfo& target, inbox* in);

// The settings in the form that libpq takes: two arrays that end in a null pointer. They point into their source.
struct setting_arrays {
    explicit setting_arrays(const settings_list& settings) {
        for (const auto& [keyword, value] : settings) {
            keywords.push_back(keyword.c_str());
            values.push_back(value.c_str());
        }
        keywords.push_back(nullptr);
        values.push_back(nullptr);
    }
    std::vector<const char*> keywords, values;
};

}  // namespace pgpubsub::inline v0
