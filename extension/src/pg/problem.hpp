// A problem, in the words of an error or a warning.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct problem {
    int code;             // SQLSTATE
    const char* message;  // null: there is no problem
    const char* detail;   // null: none
    const char* hint;     // null: none

    bool exists() const { return message != nullptr; }
};
static_assert(survives_longjmp<problem>);

[[noreturn]] inline void raise(const problem& p) {
    ereport(ERROR, errcode(p.code), errmsg("%s", p.message), p.detail == nullptr ? 0 : errdetail("%s", p.detail),
            p.hint == nullptr ? 0 : errhint("%s", p.hint));
}

}  // namespace pgpubsub
