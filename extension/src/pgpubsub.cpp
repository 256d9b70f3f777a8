// The library's entry: a list of its parts. Everything works when the library is loaded on first use.
#include "capture_plan.hpp"
#include "channel.hpp"
#include "channel_request.hpp"
#include "databases.hpp"
#include "key_memory.hpp"
#include "key_order.hpp"
#include "lease_owner.hpp"
#include "marks.hpp"
#include "pg.hpp"
#include "place.hpp"
#include "plain_grants.hpp"
#include "sessions.hpp"
#include "settings.hpp"
#include "shared_memory.hpp"
#include "stat_count.hpp"
#include "taken.hpp"
#include "type_facts.hpp"
#include "unstored.hpp"
#include "utility_hook.hpp"
#include "wakeup.hpp"
#include "worker.hpp"

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
