// How long a connection that can't be made pauses, and what cuts that short.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/inbox.hpp"
#include "base/logger.hpp"
#include "consumer/reconnect.hpp"

using namespace pgpubsub;
using namespace std::chrono_literals;

namespace {

// The pauses that follow so many failures with an SQLSTATE, in seconds; none is waited for.
std::vector<double> pauses_after(const char* state, int failures, consumer_options options = {},
                                 milliseconds limit = milliseconds::max()) {
    std::vector<double> pauses;
    logger log([&](log_level, std::string_view text) {
        if (const auto at = text.find("next attempt in "); at != text.npos)
            pauses.push_back(std::atof(std::string(text.substr(at + 16)).c_str()));
    });
    inbox in;
    reconnector patience(options, log, in, "it");
    patience.connected();
    patience.limit([=] { return limit; });
    patience.until_connected([&] {
        patience.hurry();
        if (failures-- > 0)
            throw error("no", {.sqlstate = state});
    });
    return pauses;
}

double longest(const std::vector<double>& pauses) { return *std::max_element(pauses.begin(), pauses.end()); }

}  // namespace

TEST_CASE("while the server is away pauses are short, and while it refuses they grow") {
    for (const char* state : {"08001", "08006", "57P01", "57P03"}) {
        const auto pauses = pauses_after(state, 20);
        CHECK(pauses.size() == 20);
        CHECK(longest(pauses) <= 2.0);
        CHECK(longest(pauses) > 0.9);
    }
    CHECK(longest(pauses_after("53300", 20)) > 14);
    CHECK(longest(pauses_after("08001", 20, {.reconnect_delay_min = 5s})) > 2.4);
    CHECK(longest(pauses_after("08001", 20, {.reconnect_delay_max = 1s})) <= 1.0);
}

TEST_CASE("what can't wait limits the pauses") { CHECK(longest(pauses_after("53300", 20, {}, 500ms)) <= 0.5); }

TEST_CASE("the connection that is back ends the other one's pause") {
    logger log([](log_level, std::string_view) {});
    inbox in, other_in;
    const consumer_options patient{.reconnect_delay_min = 1h, .reconnect_delay_max = 1h},
        quick{.reconnect_delay_min = 1ms};
    reconnector waits(patient, log, in, "it"), comes_back(quick, log, other_in, "the other one");
    waits.connected();
    comes_back.connected();
    comes_back.wakes(waits);
    int failures = 1, other_failures = 3;
    std::thread other;
    waits.until_connected([&] {
        if (failures-- == 0)
            return;
        other = std::thread([&] {
            comes_back.until_connected([&] {
                if (other_failures-- > 0)
                    throw error("no", {.sqlstate = "08001"});
            });
        });
        throw error("no", {.sqlstate = "08001"});
    });
    other.join();
    CHECK(failures == -1);
}
