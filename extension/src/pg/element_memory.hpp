// Memory for work that is done for one element of a value after the other, and leaves something each time.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Each element's memory is emptied after it. A few elements stay in the memory context of the call: making one would
// take longer than they do.
class element_memory {
public:
    static element_memory begin(int elements) {
        constexpr int few = 32;
        return {elements <= few
                    ? nullptr
                    : AllocSetContextCreate(CurrentMemoryContext, "pgpubsub element", ALLOCSET_DEFAULT_SIZES)};
    }
    // f must leave nothing there that is used later.
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

    MemoryContext memory_;  // null: that of the call
};
static_assert(survives_longjmp<element_memory>);

}  // namespace pgpubsub
