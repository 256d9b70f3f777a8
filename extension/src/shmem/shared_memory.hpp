// The library's shared memory, which there is only where the library is preloaded.
//
// Each part of it is reserved when the server starts, and found or made by each process. Everything works without, only
// slower: so whoever uses a part asks first whether it is there.
#pragma once

#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

struct shared_part {
    const char* name;
    // How many bytes it needs. Called once, in the postmaster.
    Size (*size)();
    // Told where the part is, in each process; `is_new` where it must be filled. Holds a lock, and must not report an
    // ERROR.
    void (*attach)(void* memory, bool is_new);
};

// Reserves shared memory for the parts, if the library is being preloaded. Called once, when the library is loaded,
// after the settings are defined. What `parts` names stays for the process's life.
void define_shared_memory(std::span<const shared_part* const> parts);

// Whether this server has it.
bool has_shared_memory();

}  // namespace pgpubsub
