// Whether a consumer can be sent a notification: PostgreSQL sends a row as one message, and can make none of 1 GB. A
// few bytes may stand for such a text: numbers with many zeros, characters that are escaped.
//
// publish() stores nothing else, and captures leave out what would be too long; but earlier versions did store it. Such
// a row becomes a dead letter when it is its turn, so that it doesn't hold up what is behind it.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

// What is sent is measured by these alone; the rest of a row is short.
struct sent_values {
    NullableDatum payload;
    NullableDatum headers;
    NullableDatum key;

    static sent_values of(const row_values& row);
    static sent_values of(const new_notification& n);
};

// In the current memory context. Values that are small, as almost all are, cost next to nothing.
bool is_readable(const sent_values& values);
inline bool is_readable(const row_values& row) { return is_readable(sent_values::of(row)); }

inline constexpr const char* too_long_to_read = "too long to be read: as text it is longer than 1,000 MB";

}  // namespace pgpubsub
