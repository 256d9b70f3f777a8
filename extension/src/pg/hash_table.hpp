// Hash tables of PostgreSQL (dynahash), typed.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Makes a hash table in the memory context, whose keys are compared byte by byte. An entry begins with its key.
// size: of the table at first, in entries.
template <typename Key, typename Entry>
HTAB* make_hash_table(const char* name, MemoryContext memory, long size) {
    HASHCTL ctl{};
    ctl.hcxt = memory;
    ctl.keysize = sizeof(Key);
    ctl.entrysize = sizeof(Entry);
    return hash_create(name, size, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

}  // namespace pgpubsub
