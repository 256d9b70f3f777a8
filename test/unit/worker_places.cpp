// How many background processes there may be, and when a worker makes room for another database's.
#include "pure/worker_places.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace pgpubsub;

TEST_CASE("by default half of the server's places, of which one is for packing") {
    CHECK(places_for(0, 8).all == 4);
    CHECK(places_for(0, 8).workers == 3);
    CHECK(places_for(0, 20).all == 10);
    CHECK(places_for(0, 20).workers == 9);
}

TEST_CASE("there is always one of each kind") {
    for (const int server : {0, 1, 2, 3, 4, 5}) {
        CHECK(places_for(0, server).all == 2);
        CHECK(places_for(0, server).workers == 1);
    }
    CHECK(places_for(1, 8).all == 2);
    CHECK(places_for(1, 8).workers == 1);
}

TEST_CASE("the setting counts, whatever the server has") {
    CHECK(places_for(5, 100).all == 5);
    CHECK(places_for(5, 2).all == 5);
    CHECK(places_for(5, 2).workers == 4);
}

TEST_CASE("an idle worker stays for a while") {
    CHECK(may_be_replaced_from(1000, 1000) == 1000 + shortest_stay);
    CHECK(may_be_replaced_from(1000, 1000 + shortest_stay) == 1000 + shortest_stay + idle_after);
}

TEST_CASE("one that is never idle has had its time at last") {
    for (const std::int64_t worked_at : {longest_stay - 1, longest_stay, 100 * longest_stay})
        CHECK(may_be_replaced_from(0, worked_at) == longest_stay);
}
