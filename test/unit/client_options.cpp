// What the consumer refuses, and with which words.
#include <doctest/doctest.h>

#include <string>

#include <pgpubsub/pgpubsub.hpp>

using namespace pgpubsub;
using namespace std::chrono_literals;

namespace {

// The message with which an action is refused; empty when it is not.
template <typename Action>
std::string refusal(Action action) {
    try {
        action();
    } catch (const error& e) {
        CHECK(e.sqlstate() == "22023");
        return e.what();
    }
    return {};
}

std::string refusal_of(const consumer_options& options) {
    return refusal([&] { const consumer c(options); });
}

bool names(const std::string& message, std::initializer_list<const char*> words) {
    for (const auto* word : words)
        if (message.find(word) == std::string::npos)
            return false;
    return true;
}

const leased_handler nothing = [](const notification&) {};

}  // namespace

TEST_CASE("sensible options are accepted") {
    CHECK(refusal_of({}).empty());
    CHECK(refusal_of({.dsn = "dbname=app", .batch = 1000, .lease = 1s, .drain = true}).empty());
    CHECK(refusal_of({.dsn = "postgresql://user@host:5432/app?connect_timeout=3"}).empty());
    CHECK(refusal_of({.reconnect_delay_min = 5s, .reconnect_delay_max = 5s}).empty());
}

TEST_CASE("contradictions are refused, and both options named") {
    CHECK(names(refusal_of({.reconnect_delay_min = 2s, .reconnect_delay_max = 1s}),
                {"reconnect_delay_min", "reconnect_delay_max"}));
    consumer c({.dsn = "host=/nowhere", .lease = 30s});
    c.on("x", [](const notification&, transaction&) {});
    CHECK(names(refusal([&] { c.run(); }), {"lease", "transactional"}));
    consumer d({.dsn = "host=/nowhere", .drain = true});
    d.on_broadcast("prices", nothing);
    CHECK(names(refusal([&] { d.run(); }), {"drain", "on_broadcast", "\"prices\""}));
    consumer e({.dsn = "host=/nowhere", .listen = false});
    e.on_broadcast("prices", nothing);
    CHECK(names(refusal([&] { e.run(); }), {"listen", "on_broadcast", "\"prices\""}));
}

TEST_CASE("impossible values are refused") {
    CHECK(names(refusal_of({.batch = 0}), {"batch", "0"}));
    CHECK(names(refusal_of({.batch = 1001}), {"batch", "1001"}));
    CHECK(names(refusal_of({.lease = 999ms}), {"lease", "999"}));
    CHECK(names(refusal_of({.poll_interval = 0s}), {"poll_interval"}));
    CHECK(names(refusal_of({.reconnect_delay_min = 0s}), {"reconnect_delay_min"}));
    CHECK(names(refusal_of({.give_up_after = -1s}), {"give_up_after"}));
    CHECK(names(refusal_of({.dsn = "dbname"}), {"DSN"}));
    CHECK(names(refusal_of({.dsn = "colour=blue"}), {"DSN", "colour"}));
}

TEST_CASE("handlers are checked") {
    consumer c;
    CHECK(names(refusal([&] { c.run(); }), {"no handler"}));
    CHECK(refusal([&] { c.on("a", nothing); }).empty());
    CHECK(names(refusal([&] { c.on("a", [](const notification&, transaction&) {}); }), {"\"a\"", "already"}));
    CHECK(names(refusal([&] { c.on("", nothing); }), {"empty"}));
    CHECK(names(refusal([&] { c.on(std::string(64, 'x'), nothing); }), {"63 bytes"}));
    CHECK(names(refusal([&] { c.on("b", leased_handler()); }), {"\"b\"", "empty"}));
    CHECK(refusal([&] { c.on("A", nothing).on("c", nothing); }).empty());
}

TEST_CASE("a channel has a handler for each subscription, and one for broadcasts") {
    consumer c;
    CHECK(refusal([&] { c.on("a", nothing).on("a", {.subscription = "audit"}, nothing); }).empty());
    CHECK(names(refusal([&] { c.on("a", {.subscription = "default"}, nothing); }), {"\"a\"", "already"}));
    CHECK(names(refusal([&] {
                    c.on("a", {.subscription = "audit", .filter = "{}"}, [](const notification&, transaction&) {});
                }),
                {"\"a\"", "\"audit\"", "already"}));
    CHECK(names(refusal([&] { c.on("b", {.subscription = ""}, nothing); }), {"subscription", "empty"}));
    CHECK(names(refusal([&] { c.on("b", {.subscription = std::string(64, 'x')}, nothing); }),
                {"subscription", "63 bytes"}));
    CHECK(refusal([&] { c.on_broadcast("a", nothing); }).empty());
    CHECK(names(refusal([&] { c.on_broadcast("a", nothing); }), {"\"a\"", "broadcast handler already"}));
    CHECK(names(refusal([&] { c.on_broadcast("b", broadcast_handler()); }), {"\"b\"", "empty"}));
    CHECK(names(refusal([&] { c.on_broadcast("", nothing); }), {"channel", "empty"}));
}

TEST_CASE("what a handler throws") {
    CHECK(retry_after(5s, "busy").delay() == 5s);
    CHECK(retry_after(-5s, "busy").delay() == 0s);
    CHECK(std::string(retry_after(5s, "busy").what()) == "busy");
    CHECK(std::string(rejected("no such user").what()) == "no such user");
}
