// Limits that several parts share. Pure: no PostgreSQL header.
#pragma once

#include <cstddef>

namespace pgpubsub {

// What LISTEN and NOTIFY take as a channel: an identifier of PostgreSQL, NAMEDATALEN - 1 bytes.
inline constexpr std::size_t max_channel_bytes = 63;

// The length field of a jsonb element has 28 bits (JENTRY_OFFLENMASK).
inline constexpr std::size_t max_jsonb_bytes = 0x0fffffff;

// The conversion from json recurses; so deep it still needs well under the smallest max_stack_depth of 100 kB that
// a server would run with. What is nested deeper is kept as text.
inline constexpr int max_jsonb_depth = 1000;

// While jsonb is built, its parts are in arrays that double their size and may not exceed 1 GB: 32 bytes for an
// element, 72 for a member of an object.
inline constexpr int max_jsonb_elements = 1 << 24;
inline constexpr int max_jsonb_members = 1 << 23;

}  // namespace pgpubsub
