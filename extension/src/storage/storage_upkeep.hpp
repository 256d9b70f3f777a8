// Keeps the storage of the notifications small: what a queue has passed through its table is soon given back.
//
// Autovacuum alone does not: it comes once a minute at best, and not at all while its workers are at large tables; a
// btree file never shrinks; and the end of a table is cut off only in a moment in which nobody is at it. So after a
// snapshot that was held for hours, gigabytes would stay for a few thousand rows.
//
// The worker of the database only looks, every pgpubsub.storage_interval, and asks for a process of its own when there
// is something to do (storage_job.cpp): consumers wait for the worker's hints, and a VACUUM may take seconds.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

// Called by the worker, outside of any transaction. Returns when it wants to be called again, by steady_now(); when the
// settings have been read again it wants to be too. Takes about a millisecond, and waits for nobody.
int64 keep_storage_small(shared_database* d, int64 now);

// What the process is to do.
enum class storage_job : char { vacuum = 'v', vacuum_and_pack = 'p' };

// The process, which ends by itself. The launcher starts those that the worker asks for.
BackgroundWorker storage_process(Oid database, storage_job what);

}  // namespace pgpubsub
