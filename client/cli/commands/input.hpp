// Reading stdin.
#pragma once

#include <cstddef>
#include <string>

namespace pgpubsub::cli {

// The longest payload that is read: PostgreSQL stores no longer one.
inline constexpr std::size_t longest_payload = 268'435'455;

// Appends what comes next, as soon as anything does; false at the end. Throws pgpubsub::error.
bool read_more(std::string& text);

// All of it. Throws pgpubsub::error, also as soon as there is more than the longest payload.
std::string read_payload();

}  // namespace pgpubsub::cli
