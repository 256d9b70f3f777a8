// Included in front of everything when the extension is built for test-sanitizers.sh.
//
// A memory context cuts many chunks out of one malloc, and AddressSanitizer knows only malloc: what is written past
// the end of a chunk lands in the next one unseen. Here each chunk that the extension itself asks for is made large
// enough to get a malloc of its own, so that its use after it is freed is seen, and what it has too much is
// poisoned, so that a single byte past its end is seen.
#pragma once

extern "C" {
#include "postgres.h"
#include "utils/memutils.h"
}

#include <sanitizer/asan_interface.h>

namespace pgpubsub_checked {

// More than any context puts into a block with others (ALLOC_CHUNK_LIMIT in aset.c, and smaller ones elsewhere).
constexpr Size alone = 8192 + 64;

inline Size enough(Size size) { return size < alone ? alone : size; }

inline void* poisoned(void* chunk, Size size) {
    if (chunk != nullptr && size < alone)
        ASAN_POISON_MEMORY_REGION(static_cast<char*>(chunk) + size, alone - size);
    return chunk;
}

inline void* alloc(MemoryContext context, Size size) {
    return poisoned(MemoryContextAlloc(context, enough(size)), size);
}
inline void* alloc_zero(MemoryContext context, Size size) {
    return poisoned(MemoryContextAllocZero(context, enough(size)), size);
}
inline void* alloc_extended(MemoryContext context, Size size, int flags) {
    return poisoned(MemoryContextAllocExtended(context, enough(size), flags), size);
}
inline void* alloc_huge(MemoryContext context, Size size) {
    return poisoned(MemoryContextAllocHuge(context, enough(size)), size);
}
// A chunk this large is moved by realloc, which AddressSanitizer always gives a new place that is not yet poisoned.
inline void* realloc(void* chunk, Size size) { return poisoned(repalloc(chunk, enough(size)), size); }
inline void* realloc_huge(void* chunk, Size size) { return poisoned(repalloc_huge(chunk, enough(size)), size); }
inline char* copy(const char* from, Size size) {
    char* const to = static_cast<char*>(alloc(CurrentMemoryContext, size + 1));
    memcpy(to, from, size);
    to[size] = '\0';
    return to;
}

}  // namespace pgpubsub_checked

#define palloc(size) pgpubsub_checked::alloc(CurrentMemoryContext, size)
#define palloc0(size) pgpubsub_checked::alloc_zero(CurrentMemoryContext, size)
#define palloc_extended(size, flags) pgpubsub_checked::alloc_extended(CurrentMemoryContext, size, flags)
#define MemoryContextAlloc(context, size) pgpubsub_checked::alloc(context, size)
#define MemoryContextAllocZero(context, size) pgpubsub_checked::alloc_zero(context, size)
#define MemoryContextAllocExtended(context, size, flags) pgpubsub_checked::alloc_extended(context, size, flags)
#define MemoryContextAllocHuge(context, size) pgpubsub_checked::alloc_huge(context, size)
#define repalloc(chunk, size) pgpubsub_checked::realloc(chunk, size)
#define repalloc_huge(chunk, size) pgpubsub_checked::realloc_huge(chunk, size)
#define pstrdup(from) pgpubsub_checked::copy(from, strlen(from))
#define pnstrdup(from, size) pgpubsub_checked::copy(from, strnlen(from, size))
