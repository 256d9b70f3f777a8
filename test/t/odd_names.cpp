// A name service for the tests, to be loaded before the C library's (LD_PRELOAD): "two.test" has two addresses, and
// "silent.test" is asked for in vain, which the file that ODD_NAMES_ASKED names shows by being there.

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* wanted, addrinfo** found) {
    using function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "getaddrinfo"));
    const bool is_number = wanted != nullptr && (wanted->ai_flags & AI_NUMERICHOST) != 0;
    if (name == nullptr || is_number)
        return real(name, service, wanted, found);
    if (std::strcmp(name, "silent.test") == 0) {
        if (const char* asked = std::getenv("ODD_NAMES_ASKED"))
            ::close(::open(asked, O_CREAT | O_WRONLY, 0600));
        for (;;)
            pause();
    }
    if (std::strcmp(name, "two.test") != 0)
        return real(name, service, wanted, found);
    if (const int code = real("127.0.0.1", service, wanted, found); code != 0)
        return code;
    addrinfo* last = *found;
    while (last->ai_next != nullptr)
        last = last->ai_next;
    return real("127.0.0.2", service, wanted, &last->ai_next);
}
