// Memory for work that is done for one element of a value after the other, and that leaves something in memory each
// time.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// The memory is emptied after each element. For a value of few elements, the memory context of the call is used
// instead: making a context of its own would take longer than the elements do.
class element_memory {
public:
    static element_memory begin(int elements) {
        constexpr int few = 32;
        return {elements <= few
                    ? nullptr
                    : AllocSetContextCreate(CurrentMemoryContext, "pgpubsub element", ALLOCSET_DEFAULT_SIZES)};
    }
    // Runs f. No later code may use memory that f allocates there.
    template <typename F>
    void run(F f) {
        if (memory_ == nullptr) {
            f();
            return;
        }
        with_context(memory_, f);
        MemoryContextReset(memory_);
    }
    void end() {
        if (memory_ != nullptr)
            MemoryContextDelete(memory_);
    }

private:
    element_memory(MemoryContext memory) : memory_(memory) {}

    MemoryContext memory_;  // null: the memory context of the call
};
static_assert(survives_longjmp<element_memory>);

}  // namespace pgpubsub
