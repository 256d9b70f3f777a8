// A notification as one line of JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <pgpubsub/notification.hpp>

namespace pgpubsub::cli {

// Payload and headers are JSON already and are put in as the server wrote them, so that numbers of any
// length stay exact. No newline inside or at the end.
std::string json_line(const notification& n);

// What is wrong with a text as JSON, with the place ("line 2, column 5: …"), or nothing.
std::optional<std::string> json_problem(std::string_view text);

}  // namespace pgpubsub::cli
