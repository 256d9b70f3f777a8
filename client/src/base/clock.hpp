// The clock of the client: steady, because waits must not jump with the wall clock.
#pragma once

#include <chrono>

namespace pgpubsub::inline v0 {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

}  // namespace pgpubsub::inline v0
