// The layout of jsonb, worked out by hand from PostgreSQL's utils/jsonb.h (sql/types.sql compares whole values with the
// server's own).
#include "pure/jsonb_layout.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace pgpubsub::jsonb_layout;

TEST_CASE("an entry holds a length, and every 32nd the offset at which its part ends") {
    CHECK(entry(part::string, 0, 0, 5) == 0x80000005);
    CHECK(entry(part::string, 1, 5, 12) == 7);
    CHECK(entry(part::number, 31, 100, 108) == 0x10000008);
    CHECK(entry(part::number, 32, 100, 108) == 0x9000006c);
    CHECK(entry(part::number, 33, 100, 108) == 0x10000008);
    CHECK(entry(part::container, 64, 108, 208) == 0xd00000d0);
}

TEST_CASE("what has no bytes has an entry all the same") {
    CHECK(entry(part::null, 1, 7, 7) == 0x40000000);
    CHECK(entry(part::null, 96, 7, 7) == 0xc0000007);
    CHECK(entry(part::is_true, 3, 9, 9) == 0x30000000);
    CHECK(entry(part::is_false, 32, 0, 0) == 0xa0000000);
}

TEST_CASE("padding goes up to the next multiple of four") {
    CHECK(padding(0) == 0);
    CHECK(padding(1) == 3);
    CHECK(padding(2) == 2);
    CHECK(padding(3) == 1);
    CHECK(padding(4) == 0);
    CHECK(padding(0x0fffffff) == 1);
}

TEST_CASE("keys are in the order of their length, then of their bytes as unsigned numbers") {
    std::vector<std::string> keys = {"bb", "a", "é", "", "ccc", "Z", "ab", "b", "zz", "0"};
    std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return key_precedes(a, b); });
    CHECK(keys == std::vector<std::string>{"", "0", "Z", "a", "b", "ab", "bb", "zz", "é", "ccc"});
    CHECK_FALSE(key_precedes("same", "same"));
}
