// Keeps the storage of the notifications small: space that notifications no longer use is soon given back.
//
// Autovacuum alone does not: it comes once a minute at best, and not at all while its workers are busy with large
// tables. A btree file never shrinks. The end of a table is cut off only in a moment when no other session uses the
// table. So after a snapshot that was held for hours, gigabytes would stay for a few thousand rows.
//
// The worker of the database only looks, every pgpubsub.storage_interval. If there is something to do, it asks for a
// separate process (storage_job.cpp): consumers wait for the worker's hints, and a VACUUM may take seconds.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

// Called by the worker, outside of any transaction. Returns when it wants to be called again, by steady_now(); it must
// also be called when the settings have been read again. Takes about a millisecond, and waits for nobody.
int64 keep_storage_small(shared_database* d, int64 now);

// The task of the storage process.
enum class storage_job : char { vacuum = 'v', vacuum_and_pack = 'p' };

// Returns the description of the process, which ends by itself. The launcher starts the processes that the worker asks
// for.
BackgroundWorker storage_process(Oid database, storage_job what);

}  // namespace pgpubsub
