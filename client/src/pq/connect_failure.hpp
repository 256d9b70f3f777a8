// What to say of a connection that could not be made. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <pgpubsub/error.hpp>

namespace pgpubsub::inline v0 {

// Why an attempt at one address failed.
struct failed_attempt {
    std::string message = {};   // one line
    std::string sqlstate = {};  // the server's word; empty: it did not get that far
    bool lacks_password = false;
    bool timed_out = false;
};

// Takes apart what libpq says at PQERRORS_VERBOSE: the SQLSTATE that stands in it, and the text for people.
failed_attempt read_failure(std::string_view message);

// Whether the other hosts need not be tried, for they would refuse for the same reason. libpq sees it so.
bool is_final(const failed_attempt& failure);

// 08001, or 08004, 53300, 57P03 when a server has refused, with a hint that suits.
error connect_error(const std::vector<failed_attempt>& failures);

}  // namespace pgpubsub::inline v0
