// Keeps a number of worker processes running.
#pragma once

#include <chrono>
#include <functional>

namespace pgpubsub::cli {

struct supervision {
    int processes = 1;
    bool drain = false;  // a worker that exits with 0 is finished
    std::chrono::milliseconds
        stop_timeout{};  // how long workers may take to end before what they have in hand is ended
    bool verbose = false;
};

// Forks the workers, and returns the program's exit status when all have ended. In each worker process, `work` is
// called with the number of the worker (from 1) and whether it replaces a worker that died; its result is the exit
// status of that process. No connection and no thread may exist yet.
int supervise(const supervision& settings, const std::function<int(int number, bool replacement)>& work);

}  // namespace pgpubsub::cli
