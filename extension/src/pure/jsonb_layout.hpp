// How the parts of a jsonb value are stored: entries, padding, the order of keys.
//
// A container consists of a count, an entry for each of its parts (an object's keys first, then its values), and the
// bytes of the parts. An entry has the type of its part and the part's length. Every 32nd entry has the end of its part
// instead of the length: so an element of an array is found by its index without adding up all lengths. Numbers and
// containers start at multiples of four; the padding before them is part of their length. (See PostgreSQL's
// utils/jsonb.h; jsonb_writer.cpp asserts that the numbers there are the same.) Pure: no PostgreSQL header, tested by
// test/unit/jsonb_layout.cpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace pgpubsub::jsonb_layout {

inline constexpr std::uint32_t length_mask = 0x0fffffff;
inline constexpr std::uint32_t ends_here = 0x80000000;  // the entry's number is an offset, not a length
inline constexpr std::uint32_t stride = 32;             // every so many entries, one has an offset
inline constexpr std::uint32_t entry_size = 4;

enum class part : std::uint32_t {
    string = 0x00000000,
    number = 0x10000000,
    is_false = 0x20000000,
    is_true = 0x30000000,
    null = 0x40000000,
    container = 0x50000000,
    mask = 0x70000000,
};

enum class container : std::uint32_t { scalar = 0x10000000, object = 0x20000000, array = 0x40000000 };

// Returns the entry of a container's part number `index`. The part's bytes are from `begin` to `end`, counted from the
// first byte of the first part.
constexpr std::uint32_t entry(part type, std::uint32_t index, std::uint32_t begin, std::uint32_t end) {
    return static_cast<std::uint32_t>(type) | (index % stride == 0 ? ends_here | end : end - begin);
}

// Returns how many bytes lie between `position` and the next multiple of four.
constexpr std::uint32_t padding(std::uint32_t position) { return -position & 3; }

// Returns whether `a` precedes `b` in an object: shorter keys come first; keys of one length are ordered by their
// bytes.
constexpr bool key_precedes(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size()
                                : std::char_traits<char>::compare(a.data(), b.data(), a.size()) < 0;
}

}  // namespace pgpubsub::jsonb_layout
