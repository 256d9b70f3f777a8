// What all background processes have in common:
// - they are connected to a database, or to none;
// - they begin once the server has recovered;
// - the postmaster does not start them again, unless a process sets that otherwise;
// - they end without a message in the log where they can.
#pragma once

#include "pg/compat.hpp"
#include "pure/steady_clock.hpp"

namespace pgpubsub {

// Describes a background process for its registration. `function`: a function of this library, the process's main
// function.
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

// Sets what all background processes need. The settings of a database may be made for other sessions.
inline void set_own_settings() {
    set_own_setting("role", "none");
    set_own_setting("search_path", "pg_catalog, pg_temp");
    set_own_setting("synchronous_commit", "off");  // a crash of the server loses only what is found, or done, once more
    set_own_setting("statement_timeout", "0");
    set_own_setting("idle_in_transaction_session_timeout", "0");
    if (has_transaction_timeout)
        set_own_setting("transaction_timeout", "0");
    set_own_setting("default_transaction_isolation", "read committed");
    set_own_setting("default_transaction_read_only", "off");
}

// Returns a time of day as a time of the steady clock. A time more than a day ahead becomes one in a day: then the
// caller looks again.
inline int64 steady_time_of(TimestampTz time) {
    if (time == DT_NOEND)
        return never;
    const TimestampTz now = GetCurrentTimestamp();
    return time <= now ? at_once : steady_now() + Min(time - now, USECS_PER_DAY);
}

// Set while a process does something that may take long; SIGTERM then ends it at once. Otherwise the process looks at
// ShutdownRequestPending soon, and ends without a FATAL in the log.
inline volatile sig_atomic_t ends_at_once = false;

// The handler of SIGTERM.
inline void end_on_signal(SIGNAL_ARGS) {
    if (ends_at_once)
        die(PASSED_SIGNAL_ARGS);
    else
        SignalHandlerForShutdownRequest(PASSED_SIGNAL_ARGS);
}

}  // namespace pgpubsub
