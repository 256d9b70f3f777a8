// Reading stdin.
#pragma once

#include <cstddef>
#include <string>

namespace pgpubsub::cli {

// The longest payload that is read: PostgreSQL can't store a longer one.
inline constexpr std::size_t longest_payload = 268'435'455;

// Appends the next bytes, as soon as there are any. Returns false at the end. Throws pgpubsub::error.
bool read_more(std::string& text);

// Returns the whole of stdin. Throws pgpubsub::error, also as soon as there is more than the longest payload.
std::string read_payload();

}  // namespace pgpubsub::cli
