// The random numbers for jitter; each thread has its own generator.
#pragma once

#include <random>

namespace pgpubsub::inline v0 {

inline double random_unit() {
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

}  // namespace pgpubsub::inline v0
