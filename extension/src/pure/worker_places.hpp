// How many background processes there may be at a time, and when a worker may be asked to make room for that of another
// database. Pure: no PostgreSQL header, tested by test/unit/worker_places.cpp.
#pragma once

#include <cstdint>

namespace pgpubsub {

struct worker_places {
    int all;      // workers and those that pack
    int workers;  // of these: one place is left to those that pack
};

// `setting`: pgpubsub.max_workers; 0: half of max_worker_processes, so that the other half is left to parallel queries,
// logical replication and other extensions.
constexpr worker_places places_for(int setting, int max_worker_processes) {
    constexpr int fewest = 2;
    const int wanted = setting > 0 ? setting : max_worker_processes / 2;
    const int all = wanted > fewest ? wanted : fewest;
    return {all, all - 1};
}

// Microseconds. To start a worker takes some milliseconds: so one stays for a while, and one that is at work for
// longer.
constexpr std::int64_t shortest_stay = 200'000;
constexpr std::int64_t longest_stay = 1'000'000;
constexpr std::int64_t idle_after = 20'000;

// From when a worker may be replaced if another database needs one: it has stayed for a while and is idle, or has had
// its time.
constexpr std::int64_t may_be_replaced_from(std::int64_t started_at, std::int64_t worked_at) {
    const std::int64_t stayed = started_at + shortest_stay;
    const std::int64_t idle = worked_at + idle_after;
    const std::int64_t when_idle = stayed > idle ? stayed : idle;
    return when_idle < started_at + longest_stay ? when_idle : started_at + longest_stay;
}

}  // namespace pgpubsub
