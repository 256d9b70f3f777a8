// `pgpubsub publish`: stores one notification and prints its id.
//
// Steps: read the payload, refuse what is no JSON (the place of the mistake is easier to find here than in
// a server's message), publish.

#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <iterator>

#include <pgpubsub/pgpubsub.hpp>

#include "exit_status.hpp"
#include "json_line.hpp"
#include "publish.hpp"
#include "report.hpp"

namespace pgpubsub::cli {

namespace {

void check_json(const std::string& what, const std::string& text) {
    const auto problem = json_problem(text);
    if (!problem) return;
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) throw error(what + " is empty", {.sqlstate = "22P02"});
    const bool looks_like_text = std::strchr("{[\"-0123456789", text[begin]) == nullptr;
    throw error(what + " is not valid JSON: " + *problem,
                {.sqlstate = "22P02",
                 .hint = looks_like_text ? "Text needs double quotes inside the JSON: '\"hello\"'." : ""});
}

std::string read_stdin() {
    std::cin >> std::noskipws;
    std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    if (std::cin.bad()) throw error("could not read the payload from stdin");
    return text;
}

}  // namespace

int publish(const publish_settings& s) {
    if (!s.payload && ::isatty(STDIN_FILENO) != 0) {
        report("no payload", "Give it as an argument, or on stdin (- says so explicitly).");
        return usage;
    }
    const bool from_stdin = !s.payload || *s.payload == "-";
    message what{.channel = s.channel,
                 .payload = from_stdin ? read_stdin() : *s.payload,
                 .key = s.key,
                 .headers = s.headers,
                 .deliver_at = s.deliver_at,
                 .priority = s.priority,
                 .dedup_key = s.dedup_key,
                 .replace_waiting = s.replace};
    check_json(from_stdin ? "the payload on stdin" : "the payload", what.payload);

    session server({.dsn = s.dsn, .log = log_to_stderr(log_level::warning)});
    const auto id = server.publish(what);
    std::cout << id << std::endl;
    if (!std::cout) {
        report("notification " + std::to_string(id) + " was published, but its id could not be written to stdout");
        return failure;
    }
    return success;
}

}  // namespace pgpubsub::cli
