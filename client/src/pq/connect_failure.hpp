// The error for a connection that could not be made. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <pgpubsub/error.hpp>

namespace pgpubsub::inline v0 {

// Why an attempt at one address failed.
struct failed_attempt {
    std::string message = {};   // one line
    std::string sqlstate = {};  // from the server; empty: the attempt did not get that far
    bool lacks_password = false;
    bool timed_out = false;
};

// Splits a message that libpq writes at PQERRORS_VERBOSE into its SQLSTATE and the text for people.
failed_attempt read_failure(std::string_view message);

// Returns whether the other hosts need not be tried, because they would refuse for the same reason. libpq has the same
// rule.
bool is_final(const failed_attempt& failure);

// Returns the error: 08001, or 08004, 53300, 57P03 if a server has refused, with a hint that suits.
error connect_error(const std::vector<failed_attempt>& failures);

}  // namespace pgpubsub::inline v0
