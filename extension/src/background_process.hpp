// What the background processes have in common: they are connected to a database, or to none, begin once the server has recovered, and
// unless they say otherwise are not started again by the postmaster.
#pragma once

#include "pg.hpp"

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

}  // namespace pgpubsub
