// How many background processes may run at a time, and when a worker may be asked to make room for another database's
// worker. Pure: no PostgreSQL header, tested by test/unit/worker_places.cpp.
#pragma once

#include <cstdint>

namespace pgpubsub {

struct worker_places {
    int all;      // workers and storage processes
    int workers;  // of these, the places for workers: one place is left to storage processes
};

// `setting`: pgpubsub.max_workers. 0 stands for half of max_worker_processes: the other half is left to parallel
// queries, logical replication and other extensions.
constexpr worker_places places_for(int setting, int max_worker_processes) {
    constexpr int fewest = 2;
    const int wanted = setting > 0 ? setting : max_worker_processes / 2;
    const int all = wanted > fewest ? wanted : fewest;
    return {all, all - 1};
}

// In microseconds. To start a worker takes some milliseconds. So a worker stays for at least the shortest time, and
// longer if it has work.
constexpr std::int64_t shortest_stay = 200'000;
constexpr std::int64_t longest_stay = 1'000'000;
constexpr std::int64_t idle_after = 20'000;

// Returns the time from which a worker may be replaced if another database needs one: when it has stayed for the
// shortest time and is idle, or when it has stayed for the longest time.
constexpr std::int64_t may_be_replaced_from(std::int64_t started_at, std::int64_t worked_at) {
    const std::int64_t stayed = started_at + shortest_stay;
    const std::int64_t idle = worked_at + idle_after;
    const std::int64_t when_idle = stayed > idle ? stayed : idle;
    return when_idle < started_at + longest_stay ? when_idle : started_at + longest_stay;
}

}  // namespace pgpubsub
