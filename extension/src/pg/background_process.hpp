// What the background processes have in common: they are connected to a database, or to none, begin once the server has
// recovered, unless they say otherwise are not started again by the postmaster, and end without a word in the log where
// they can.
#pragma once

#include "pg/compat.hpp"
#include "pure/steady_clock.hpp"

namespace pgpubsub {

// `function`: of this library, the process's main function.
inline BackgroundWorker background_process(const char* type, const char* function) {
    BackgroundWorker process{};
    strlcpy(process.bgw_name, type, sizeof process.bgw_name);
    strlcpy(process.bgw_type, type, sizeof process.bgw_type);
    strlcpy(process.bgw_library_name, "pgpubsub", sizeof process.bgw_library_name);
    strlcpy(process.bgw_function_name, function, sizeof process.bgw_function_name);
    process.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    process.bgw_start_time = BgWorkerStart_RecoveryFinished;
    process.bgw_restart_time = BGW_NEVER_RESTART;
    return process;
}

inline void set_own_setting(const char* name, const char* value) {
    SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

// A database may have settings that are not made for a process of ours. Of these, the ones that all of them need
// otherwise.
inline void set_own_settings() {
    set_own_setting("role", "none");
    set_own_setting("search_path", "pg_catalog, pg_temp");
    set_own_setting("synchronous_commit", "off");  // what a crash of the server loses is found, or done, once more
    set_own_setting("statement_timeout", "0");
    set_own_setting("idle_in_transaction_session_timeout", "0");
    if (has_transaction_timeout)
        set_own_setting("transaction_timeout", "0");
    set_own_setting("default_transaction_isolation", "read committed");
    set_own_setting("default_transaction_read_only", "off");
}

// A time of day as one of the steady clock: at the latest in a day, when it is looked at anew.
inline int64 steady_time_of(TimestampTz time) {
    if (time == DT_NOEND)
        return never;
    const TimestampTz now = GetCurrentTimestamp();
    return time <= now ? at_once : steady_now() + Min(time - now, USECS_PER_DAY);
}

// Set while a process is at what may take long. Else it looks at ShutdownRequestPending soon, and so ends without a
// FATAL in the log.
inline volatile sig_atomic_t ends_at_once = false;

// The handler of SIGTERM.
inline void end_on_signal(SIGNAL_ARGS) {
    if (ends_at_once)
        die(PASSED_SIGNAL_ARGS);
    else
        SignalHandlerForShutdownRequest(PASSED_SIGNAL_ARGS);
}

}  // namespace pgpubsub
