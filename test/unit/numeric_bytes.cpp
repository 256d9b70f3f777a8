// Numbers in the form of the type numeric: words of 16 bits, the head, then digits to the base of 10,000.
#include "pure/numeric_bytes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace pgpubsub;

namespace {

using words = std::vector<unsigned>;

words words_of(const numeric_bytes& number) {
    words result;
    for (std::uint32_t i = 0; i < number.size(); i += 2) {
        std::uint16_t word;
        std::memcpy(&word, static_cast<const char*>(number.data()) + i, sizeof word);
        result.push_back(word);
    }
    return result;
}

words of(std::int64_t number) { return words_of(numeric_bytes(number)); }
words of(const char* text) { return words_of(numeric_bytes(std::string_view(text))); }

constexpr unsigned negative = 0x2000;
// The head of the short form.
unsigned head(int weight, int scale = 0) {
    return 0x8000u | static_cast<unsigned>(scale << 7) | (static_cast<unsigned>(weight) & 0x7f);
}

}  // namespace

TEST_CASE("zero has no digit") {
    CHECK(words_of(numeric_bytes()) == words{head(0)});
    CHECK(of(std::int64_t{0}) == words{head(0)});
    for (const char* text : {"0", "-0", "0e5", "0e-0"})
        CHECK_MESSAGE(of(text) == words{head(0)}, text);
    CHECK(of("0.00") == words{head(0, 2)});
    CHECK(of("-0.0") == words{head(0, 1)});
}

TEST_CASE("integers have neither zeros in front nor at the end") {
    CHECK(of(1) == words{head(0), 1});
    CHECK(of(-1) == words{head(0) | negative, 1});
    CHECK(of(9999) == words{head(0), 9999});
    CHECK(of(10000) == words{head(1), 1});
    CHECK(of(10001) == words{head(1), 1, 1});
    CHECK(of(120000) == words{head(1), 12});
    CHECK(of(100000000) == words{head(2), 1});
    CHECK(of(100000005) == words{head(2), 1, 0, 5});
    CHECK(of(-123456789) == words{head(2) | negative, 1, 2345, 6789});
    CHECK(of(std::numeric_limits<std::int64_t>::max()) == words{head(4), 922, 3372, 368, 5477, 5807});
    CHECK(of(std::numeric_limits<std::int64_t>::min()) == words{head(4) | negative, 922, 3372, 368, 5477, 5808});
}

TEST_CASE("texts of integers are the same as the integers") {
    for (const std::int64_t n :
         {1L, -1L, 9L, 10L, 99L, 100L, 999L, 1000L, 9999L, 10000L, 10001L, 123450000L, -987654321012345L})
        CHECK_MESSAGE(of(std::to_string(n).c_str()) == of(n), n);
    CHECK(of("1e+15") == of(1000000000000000));
    CHECK(of("1.5e+15") == of(1500000000000000));
    CHECK(of("1.2345e2") == words{head(0, 2), 123, 4500});
    CHECK(of("00012") == of(12));
}

TEST_CASE("fractions keep their scale") {
    CHECK(of("0.5") == words{head(-1, 1), 5000});
    CHECK(of("0.50") == words{head(-1, 2), 5000});
    CHECK(of("-1.1") == words{head(0, 1) | negative, 1, 1000});
    CHECK(of("3.14159") == words{head(0, 5), 3, 1415, 9000});
    CHECK(of("12345.678") == words{head(1, 3), 1, 2345, 6780});
    CHECK(of("10.01") == words{head(0, 2), 10, 100});
    CHECK(of("0.0001") == words{head(-1, 4), 1});
    CHECK(of("0.00001") == words{head(-2, 5), 1000});
    CHECK(of("1e-05") == words{head(-2, 5), 1000});
    CHECK(of("1.5e-07") == words{head(-2, 8), 15});
    CHECK(of("1.0e-1") == words{head(-1, 2), 1000});
}

TEST_CASE("the long form begins where the short one ends") {
    CHECK(of("1e-63") == words{head(-16, 63), 10});
    CHECK(of("1e-64") == words{64, 0xfff0, 1});
    CHECK(of("-1e-64") == words{0x4000 | 64, 0xfff0, 1});
    CHECK(of("1e255") == words{head(63), 1000});
    CHECK(of("1e256") == words{0, 64, 1});
    CHECK(of("-1.7976931348623157e+308") == words{0x4000, 77, 1, 7976, 9313, 4862, 3157});
    CHECK(of("5e-324") == words{324, 0xffaf, 5});
    CHECK(of("2.2250738585072014e-308") == words{324, 0xffb3, 2, 2250, 7385, 8507, 2014});
}

TEST_CASE("NaN and infinities are told by their bytes") {
    for (const std::uint16_t special : {0xc000, 0xd000, 0xf000})
        CHECK(numeric_bytes::is_special(&special));
    for (const char* text : {"0", "-1", "1e-64", "-1e-64", "-1e256"})
        CHECK_FALSE_MESSAGE(numeric_bytes::is_special(numeric_bytes(std::string_view(text)).data()), text);
}
