// The library's entry: a list of its parts. Everything works when the library is loaded on first use.
#include "capture_plan.hpp"
#include "channel.hpp"
#include "key_order.hpp"
#include "pg.hpp"
#include "settings.hpp"
#include "stat_count.hpp"
#include "taken.hpp"
#include "type_facts.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

void _PG_init(void) {
    pgpubsub::define_settings();
    pgpubsub::watch_channels();
    pgpubsub::watch_types();
    pgpubsub::watch_capture_plans();
    pgpubsub::watch_taken();
    pgpubsub::watch_key_locks();
    pgpubsub::watch_counts();
}
