// A notification as one line of JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <pgpubsub/notification.hpp>

namespace pgpubsub::cli {

// Returns the line. Payload and headers are JSON already and are inserted as the server wrote them, so that numbers of
// any length stay exact. There is no newline inside or at the end.
std::string json_line(const notification& n);

// Returns what is wrong with a text as JSON, with the place ("line 2, column 5: …"), or no value.
std::optional<std::string> json_problem(std::string_view text);

}  // namespace pgpubsub::cli
