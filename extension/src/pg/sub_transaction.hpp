// Runs f in a sub-transaction, as an exception block of PL/pgSQL does.
//
// Returns what f returns:
// - true keeps the sub-transaction;
// - false rolls it back, and gives back its locks.
//
// An ERROR rolls it back, too. If `is_expected` says so, the ERROR counts as false; otherwise it goes on to the caller.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

inline bool no_error_is_expected(const ErrorData&) { return false; }

template <typename F>
bool in_sub_transaction(F f, bool (*is_expected)(const ErrorData&) = no_error_is_expected) {
    static_assert(survives_longjmp<F>);
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    volatile bool result = false;
    BeginInternalSubTransaction(nullptr);
    PG_TRY();
    {
        // Memory that f allocates outlives the sub-transaction.
        MemoryContextSwitchTo(context);
        result = f();
        if (result)
            ReleaseCurrentSubTransaction();
        else
            RollbackAndReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        ErrorData* const error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
        MemoryContextSwitchTo(context);
        CurrentResourceOwner = owner;
        if (!is_expected(*error))
            ReThrowError(error);
        FreeErrorData(error);
        result = false;
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    return result;
}

}  // namespace pgpubsub
