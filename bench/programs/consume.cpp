// consume SYSTEM BATCH INDEX SECONDS: consumes as fast as it can, until there is nothing left or the time is up.
//
// In the measured loop are the claim, its answer with all columns, a handler that looks at each payload's length, and
// the end of the claim. Prints "ready", waits for a line on its input, and then prints, every 20 ms at the most, what
// it has consumed so far: the time (seconds of the day's clock) and the number. race.py starts it and adds up.
#include <chrono>
#include <iostream>

#include "postgres.hpp"
#include "sources.hpp"

namespace {

struct progress {
    double time;
    unsigned long long consumed;
    void print() const {
        std::printf("%.6f %llu\n", time, consumed);
        std::fflush(stdout);
    }
};

double time_of_day() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5)
        bench::die("usage: consume SYSTEM BATCH INDEX SECONDS");
    const std::string system = argv[1];
    const bool may_pause = system == "notify";  // it comes while it is sent
    const auto source = bench::make_source(system, std::atoi(argv[2]), std::atoi(argv[3]));
    unsigned long long bytes = 0;
    const bench::handler handle = [&](std::string_view payload) { bytes += payload.size(); };

    std::puts("ready");
    std::fflush(stdout);
    std::string line;
    std::getline(std::cin, line);
    progress done{time_of_day(), 0};
    progress printed = done;
    printed.print();
    const double end = done.time + std::atof(argv[4]);
    while (time_of_day() < end) {
        if (const std::size_t count = source->take(handle))
            done = {time_of_day(), done.consumed + count};
        else if (may_pause)
            source->wait(20);
        else
            break;
        if (done.time > printed.time + 0.02)
            (printed = done).print();
    }
    if (done.consumed > printed.consumed)
        done.print();
    return done.consumed > 0 && bytes == 0;
}
