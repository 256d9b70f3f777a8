// Preloaded into a server (LD_PRELOAD), it makes each flush take 1 ms more, as a disk does that has to write.
// fdatasync is what PostgreSQL flushes its write-ahead log with on Linux (wal_sync_method), fsync what a checkpoint
// uses.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int slowed(const char* name, int fd) {
    static const struct timespec delay = {.tv_sec = 0, .tv_nsec = 1000000};
    int (*flush)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, NULL);
    return flush(fd);
}

int fsync(int fd) { return slowed("fsync", fd); }
int fdatasync(int fd) { return slowed("fdatasync", fd); }
