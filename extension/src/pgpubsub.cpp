// The entry point of the library: the list of its parts. Everything also works if the library is loaded on first use.
#include "admin/plain_grants.hpp"
#include "admin/utility_hook.hpp"
#include "capture/capture_plan.hpp"
#include "channel/channel.hpp"
#include "channel/channel_request.hpp"
#include "claim/key_order.hpp"
#include "claim/lease_owner.hpp"
#include "claim/taken.hpp"
#include "json/type_facts.hpp"
#include "pg/postgres.hpp"
#include "pg/settings.hpp"
#include "place/key_memory.hpp"
#include "place/place.hpp"
#include "place/unstored.hpp"
#include "queue/stat_count.hpp"
#include "shmem/databases.hpp"
#include "shmem/marks.hpp"
#include "shmem/sessions.hpp"
#include "shmem/shared_memory.hpp"
#include "wakeup/wakeup.hpp"
#include "worker/worker.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace {
constexpr const pgpubsub::shared_part* shared_parts[] = {
    &pgpubsub::databases_part, &pgpubsub::marks_part,      &pgpubsub::sessions_part,         &pgpubsub::places_part,
    &pgpubsub::unstored_part,  &pgpubsub::key_memory_part, &pgpubsub::channel_requests_part,
};
}

void _PG_init(void) {
    pgpubsub::define_settings();
    pgpubsub::define_shared_memory(shared_parts);
    pgpubsub::define_launcher();
    pgpubsub::watch_utility_commands();
    pgpubsub::watch_wakeups();
    pgpubsub::watch_channels();
    pgpubsub::watch_grants();
    pgpubsub::watch_types();
    pgpubsub::watch_capture_plans();
    pgpubsub::watch_taken();
    pgpubsub::watch_key_locks();
    pgpubsub::watch_counts();
    pgpubsub::watch_places();
    pgpubsub::watch_unstored();
    pgpubsub::watch_leases();
}
