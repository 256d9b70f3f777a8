// Limits that several parts share. Pure: no PostgreSQL header.
#pragma once

#include <cstddef>

namespace pgpubsub {

// The longest channel that LISTEN and NOTIFY accept: an identifier of PostgreSQL, NAMEDATALEN - 1 bytes.
inline constexpr std::size_t max_channel_bytes = 63;

// The length field of a jsonb element has 28 bits (JENTRY_OFFLENMASK).
inline constexpr std::size_t max_jsonb_bytes = 0x0fffffff;

// The conversion from json recurses. At this depth it needs well under 100 kB of stack, the smallest max_stack_depth
// that a server would run with. A value that is nested deeper is kept as text.
inline constexpr int max_jsonb_depth = 1000;

// While jsonb is built, its parts are in arrays that double their size and may not exceed 1 GB. An array's element
// needs 32 bytes, an object's member 72.
inline constexpr int max_jsonb_elements = 1 << 24;
inline constexpr int max_jsonb_members = 1 << 23;

}  // namespace pgpubsub
