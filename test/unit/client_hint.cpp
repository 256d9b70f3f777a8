// What the payload of a NOTIFY on a queue channel says.
#include <doctest/doctest.h>

#include "protocol/hint.hpp"

using namespace pgpubsub;

TEST_CASE("a hint without a payload is for everybody") {
    CHECK(read_hint("", 4711) == hint::for_all);
    CHECK(read_hint("", 0) == hint::for_all);
}

TEST_CASE("a hint with a list of processes is for these") {
    CHECK(read_hint("4711", 4711) == hint::for_us);
    CHECK(read_hint("1,4711", 4711) == hint::for_us);
    CHECK(read_hint("4711,1", 4711) == hint::for_us);
    CHECK(read_hint("1,4711,2147483647", 4711) == hint::for_us);
    CHECK(read_hint("47111", 4711) == hint::for_others);
    CHECK(read_hint("471", 4711) == hint::for_others);
    CHECK(read_hint("1,2,3", 4711) == hint::for_others);
}

TEST_CASE("who does not know its own process takes any list for its own") {
    CHECK(read_hint("1", 0) == hint::for_us);
    CHECK(read_hint("1,2", 0) == hint::for_us);
}

TEST_CASE("what is no list of processes is somebody's own NOTIFY") {
    for (const char* payload : {"hello", "4711,", ",4711", "1,,2", "1, 2", " 1", "1 ", "+1", "-1", "0", "1,0", "0x1",
                                "1.5", "99999999999", "1,99999999999", "{\"id\":1}", ","})
        CHECK_MESSAGE(read_hint(payload, 4711) == hint::unknown, payload);
}
