// Receipts as text: what is written is read back, and nothing else is accepted.
#include "pure/receipt.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

using namespace pgpubsub;

namespace {
std::string written(const receipt& r) {
    char buffer[receipt_max_length];
    return std::string{format_receipt(r, std::span{buffer})};
}
}  // namespace

TEST_CASE("a receipt is the id in decimal and the token in 16 hexadecimal digits") {
    CHECK(written({42, 0x9f86d081884c7d65}) == "42-9f86d081884c7d65");
    CHECK(written({1, 0}) == "1-0000000000000000");
}

TEST_CASE("every receipt is read back") {
    const std::int64_t ids[] = {
        0, 1, -1, 42, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()};
    const std::uint64_t tokens[] = {0, 1, 0x8000000000000000, std::numeric_limits<std::uint64_t>::max()};
    for (const std::int64_t id : ids)
        for (const std::uint64_t token : tokens) {
            const receipt r{id, token};
            CHECK(written(r).size() <= receipt_max_length);
            CHECK(parse_receipt(written(r)) == r);
        }
}

TEST_CASE("anything else is refused") {
    for (const char* text :
         {"", "-", "42", "42-", "-9f86d081884c7d65", "9f86d081884c7d65", "42-9f86d081884c7d6", "42-9f86d081884c7d655",
          "42_9f86d081884c7d65", "42-9f86d081884c7d6g", " 42-9f86d081884c7d65", "42-9f86d081884c7d65 ",
          "4 2-9f86d081884c7d65", "+42-9f86d081884c7d65", "99999999999999999999-9f86d081884c7d65",
          "0x2a-9f86d081884c7d65", "42--f86d081884c7d65", "42-9f86d081884c7d65\n"})
        CHECK_MESSAGE(!parse_receipt(text), text);
}
