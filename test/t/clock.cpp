// A clock that a test can set back: preloaded into a server (LD_PRELOAD), it adds what is in the file $PGPUBSUB_CLOCK
// (8 bytes, seconds, mapped into all processes) to the time of day. CLOCK_MONOTONIC stays as it is, as with a real
// clock that is set.
#include <cstdlib>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

namespace {

long long offset() {
    static const volatile long long* const mapped = [] {
        const char* const name = getenv("PGPUBSUB_CLOCK");
        const int file = name == nullptr ? -1 : open(name, O_RDONLY);
        if (file < 0)
            return static_cast<const volatile long long*>(nullptr);
        void* const memory = mmap(nullptr, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
        close(file);
        return memory == MAP_FAILED ? nullptr : static_cast<const volatile long long*>(memory);
    }();
    return mapped == nullptr ? 0 : *mapped;
}

template <typename F>
F real(const char* name) {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int gettimeofday(timeval* time, void* zone) noexcept {
    static const auto original = real<int (*)(timeval*, void*)>("gettimeofday");
    const int result = original(time, zone);
    time->tv_sec += offset();
    return result;
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    static const auto original = real<int (*)(clockid_t, timespec*)>("clock_gettime");
    const int result = original(clock, time);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        time->tv_sec += offset();
    return result;
}
