// `pgpubsub publish`: stores one notification, or one for each line of stdin, and prints its id.
//
// Steps: read the payload; refuse a payload that is not JSON (here the place of the mistake is easier to find than in a
// server's message); publish. Lines are published as they come: all lines that have been read by then form one
// transaction.

#include "commands/publish.hpp"

#include <unistd.h>

#include <cstring>
#include <vector>

#include <pgpubsub/pgpubsub.hpp>

#include "commands/input.hpp"
#include "output/exit_status.hpp"
#include "output/json_line.hpp"
#include "output/output.hpp"
#include "output/report.hpp"

namespace pgpubsub::cli {

namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

void check_json(const std::string& what, const std::string& text) {
    const auto problem = json_problem(text);
    if (!problem)
        return;
    if (is_blank(text))
        throw error(what + " is empty", {.sqlstate = "22P02"});
    const char first = text[text.find_first_not_of(" \t\r\n")];
    const bool looks_like_text = first > ' ' && std::strchr("{[\"-0123456789", first) == nullptr;
    throw error(
        what + " is not valid JSON: " + *problem,
        {.sqlstate = "22P02", .hint = looks_like_text ? "Text needs double quotes inside the JSON: '\"hello\"'." : ""});
}

void print_ids(const std::string& what, const std::string& ids) {
    const auto lost = [&](const std::string& why) {
        throw error(what + " published, but the id could not be told: " + why);
    };
    try {
        print(ids);
    } catch (const reader_is_gone&) {
        lost("could not write to stdout: nobody reads it");
    } catch (const error& e) {
        lost(e.what());
    }
}

class line_publisher {
public:
    line_publisher(session& server, const publish_settings& s) : server_(server), s_(s) {}

    void add(std::string line) {
        ++number_;
        if (is_blank(line))
            return;
        try {
            check_json("line " + std::to_string(number_) + " on stdin", line);
        } catch (const error&) {
            send();  // the lines before it are right
            throw;
        }
        if (lines_.empty())
            first_ = number_;
        last_ = number_;
        size_ += line.size();
        lines_.push_back(std::move(line));
        if (lines_.size() == 1000 || size_ > 1'000'000)
            send();
    }

    void send() {
        if (lines_.empty())
            return;
        message_batch batch{.channel = s_.channel,
                            .payloads = std::exchange(lines_, {}),
                            .deliver_at = s_.deliver_at,
                            .priority = s_.priority};
        if (s_.key)
            batch.keys.assign(batch.payloads.size(), s_.key);
        if (s_.headers)
            batch.headers.assign(batch.payloads.size(), s_.headers);
        size_ = 0;
        std::string ids;
        for (const auto id : published(batch))
            ids += std::to_string(id) + '\n';
        print_ids(which() + " were", ids);
    }

    int number() const { return number_; }

private:
    std::string which() const { return "lines " + std::to_string(first_) + " to " + std::to_string(last_); }

    std::vector<std::int64_t> published(const message_batch& batch) {
        try {
            return server_.publish_batch(batch);
        } catch (const error& e) {
            throw error(which() + (e.in_doubt() ? " are perhaps not published: " : " are not published: ") + e.what(),
                        {.sqlstate = e.sqlstate(),
                         .hint = e.hint(),
                         .connection_lost = e.connection_lost(),
                         .in_doubt = e.in_doubt()});
        }
    }

    session& server_;
    const publish_settings& s_;
    std::vector<std::string> lines_;
    std::size_t size_ = 0;
    int number_ = 0;
    int first_ = 1, last_ = 1;  // of lines_
};

void publish_lines(const publish_settings& s) {
    session server({.dsn = s.dsn, .log = log_to_stderr(log_level::warning)});
    line_publisher lines(server, s);
    std::string text;
    for (bool more = true; more;) {
        const std::size_t known = text.size();
        more = read_more(text);
        std::size_t begin = 0;
        for (auto end = text.find('\n', known); end != std::string::npos; end = text.find('\n', begin)) {
            lines.add(text.substr(begin, end - begin));
            begin = end + 1;
        }
        text.erase(0, begin);
        if (text.size() > longest_payload)
            throw error("line " + std::to_string(lines.number() + 1) + " on stdin is longer than " +
                        std::to_string(longest_payload) + " bytes");
        if (!more)
            lines.add(std::move(text));
        lines.send();
    }
}

void publish_one(const publish_settings& s, bool from_stdin) {
    message what{.channel = s.channel,
                 .payload = from_stdin ? read_payload() : *s.payload,
                 .key = s.key,
                 .headers = s.headers,
                 .deliver_at = s.deliver_at,
                 .priority = s.priority,
                 .dedup_key = s.dedup_key,
                 .replace_waiting = s.replace};
    if (from_stdin)
        check_json("the payload on stdin", what.payload);
    session server({.dsn = s.dsn, .log = log_to_stderr(log_level::warning)});
    const auto id = std::to_string(server.publish(what));
    print_ids("notification " + id + " was", id + '\n');
}

bool is_about_a_time(const error& e) { return e.sqlstate() == "22007" || e.sqlstate() == "22008"; }

}  // namespace

int publish(const publish_settings& s) {
    if (!s.payload && ::isatty(STDIN_FILENO) != 0) {
        report("no payload", "Give it as an argument, or on stdin (- says so explicitly).");
        return usage;
    }
    const bool from_stdin = !s.payload || *s.payload == "-";
    try {
        if (!from_stdin)
            check_json("the payload", *s.payload);
    } catch (const error& e) {
        report(e);
        return usage;
    }
    try {
        s.lines ? publish_lines(s) : publish_one(s, from_stdin);
    } catch (const error& e) {
        if (!s.deliver_at || !is_about_a_time(e))
            throw;
        report(std::string("--deliver-at: ") + e.what(), e.hint());
        return usage;
    }
    return success;
}

}  // namespace pgpubsub::cli
