// What is posted to an inbox is seen.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "base/blocking.hpp"
#include "base/inbox.hpp"
#include "base/poll.hpp"

using namespace pgpubsub;
using namespace std::chrono_literals;

TEST_CASE("an inbox tells whether it is worth a read") {
    inbox in;
    CHECK(!in.has_post());
    in.post_wake();
    CHECK(in.has_post());
    in.read();
    CHECK(!in.has_post());
    CHECK(in.stops() == 0);
    in.post_stop();
    in.post_stop();
    CHECK(in.stops() == 0);
    in.read();
    CHECK(in.stops() == 2);
    CHECK(!in.has_post());
}

TEST_CASE("no stop is lost, whether the owner looks or polls") {
    constexpr int each = 2000, threads = 3;  // less than the pipe holds
    for (const bool polls : {false, true}) {
        inbox in;
        std::vector<std::thread> posters;
        for (int t = 0; t < threads; ++t)
            posters.emplace_back([&in] {
                for (int i = 0; i < each; ++i) {
                    in.post_stop();
                    in.post_wake();
                }
            });
        std::array<pollfd, 1> waits{{{in.fd(), POLLIN, 0}}};
        while (in.stops() < each * threads) {
            if (polls)
                REQUIRE(poll_until(waits, clock::now() + 60s));
            else
                std::this_thread::yield();
            if (in.has_post())
                in.read();
        }
        for (auto& poster : posters)
            poster.join();
        in.read();
        CHECK(in.stops() == each * threads);
    }
}

TEST_CASE("a call that does not return is left behind") {
    CHECK(call_within(clock::now() + 60s, nullptr, [] { return 7; }) == std::optional(7));
    const auto hang = [] {
        std::this_thread::sleep_for(1h);
        return 7;
    };
    CHECK(call_within(clock::now() + 10ms, nullptr, hang) == std::nullopt);
    inbox in;
    std::thread stops([&in] { in.post_stop(); });
    CHECK_THROWS_AS(call_within(clock::now() + 60s, &in, hang), interrupted);
    stops.join();
}
