// Holds a transaction open until it is killed: one with a snapshot, as a dump or a report does; or with what the
// arguments, SQL, do. Prints "ready" once it has it.
#include <unistd.h>

#include "postgres.hpp"

int main(int argc, char** argv) {
    bench::connection session;
    if (argc == 1)
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1");
    else
        session.run("BEGIN");
    for (int i = 1; i < argc; ++i)
        session.run(argv[i]);
    std::puts("ready");
    std::fflush(stdout);
    pause();
}
