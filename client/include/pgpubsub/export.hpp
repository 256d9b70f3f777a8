// The macros that mark the exported symbols of the shared library; all other symbols are hidden.
#ifndef PGPUBSUB_EXPORT_HPP
#define PGPUBSUB_EXPORT_HPP

// GCC 10 defines 201709 for -std=c++20.
#if defined(__cplusplus) && __cplusplus < 201709L
#error "pgpubsub needs C++20: compile with -std=c++20"
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PGPUBSUB_EXPORT __attribute__((visibility("default")))
#define PGPUBSUB_HIDDEN __attribute__((visibility("hidden")))
#else
#define PGPUBSUB_EXPORT
#define PGPUBSUB_HIDDEN
#endif

#endif
