// Finds the addresses of a host name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace pgpubsub::inline v0 {

class inbox;

struct resolved {
    std::vector<std::string> addresses;  // numeric, in the order in which they are to be tried
    std::string problem;                 // why there are none
};

// Returns no value if no name server has answered in time. Throws interrupted if `in` is given and another stop is
// posted.
std::optional<resolved> resolve(const std::string& name, clock::time_point deadline, inbox* in);

}  // namespace pgpubsub::inline v0
