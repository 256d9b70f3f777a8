// The library's shared memory. It exists only where the library is preloaded.
//
// 1. Each part of it is reserved when the server starts.
// 2. Each process finds the part, or makes it.
//
// Without shared memory everything works, only slower. So a caller asks first whether a part is there.
#pragma once

#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

struct shared_part {
    const char* name;
    // Returns how many bytes the part needs. Called once, in the postmaster.
    Size (*size)();
    // Learns where the part is; called in each process. `is_new`: the part must be filled. A lock is held during the
    // call, so it must not report an ERROR.
    void (*attach)(void* memory, bool is_new);
};

// Reserves shared memory for the parts if the library is being preloaded. Called once, when the library is loaded,
// after the settings are defined. `parts`, and the parts that it names, must live as long as the process.
void define_shared_memory(std::span<const shared_part* const> parts);

// Returns whether this server has shared memory for the library.
bool has_shared_memory();

}  // namespace pgpubsub
