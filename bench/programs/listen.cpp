// Listens on the channels of its command line, and only reads what comes in: a listener that costs the machine little.
// Prints "ready" once it listens, and ends when it is killed.
#include "postgres.hpp"

int main(int argc, char** argv) {
    bench::connection listener;
    for (int i = 1; i < argc; ++i)
        listener.run("LISTEN \"" + std::string(argv[i]) + "\"");
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
        listener.wait(-1);
        while (listener.next_notice()) {}
    }
}
