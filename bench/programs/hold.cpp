// Holds a snapshot, as a dump or a report does, until it is killed. Prints "ready" once it has it.
#include <unistd.h>

#include "postgres.hpp"

int main() {
    bench::connection session;
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1");
    std::puts("ready");
    std::fflush(stdout);
    pause();
}
