// Whether a notification can be sent to a consumer. PostgreSQL sends a row as one message, and can't make a message of
// 1 GB. A few bytes may stand for such a text: numbers with many zeros, characters that are escaped.
//
// publish() stores no notification that can't be sent, and captures leave out what would be too long. But earlier
// versions did store such notifications. Such a row becomes a dead letter when it is its turn, so that it doesn't hold
// up the rows behind it.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

// The values by which the size of a notification is measured; the other values of a row are short.
struct sent_values {
    NullableDatum payload;
    NullableDatum headers;
    NullableDatum key;

    static sent_values of(const row_values& row);
    static sent_values of(const new_notification& n);
};

// Returns whether the values can be sent. It works in the current memory context. Small values, as almost all are, cost
// next to nothing.
bool is_readable(const sent_values& values);
inline bool is_readable(const row_values& row) { return is_readable(sent_values::of(row)); }

inline constexpr const char* too_long_to_read = "too long to be read: as text it is longer than 1,000 MB";

}  // namespace pgpubsub
