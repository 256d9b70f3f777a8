// The macros that mark what the shared library exports; everything else in it is hidden.
#ifndef PGPUBSUB_EXPORT_HPP
#define PGPUBSUB_EXPORT_HPP

#if defined(__GNUC__) || defined(__clang__)
#define PGPUBSUB_EXPORT __attribute__((visibility("default")))
#define PGPUBSUB_HIDDEN __attribute__((visibility("hidden")))
#else
#define PGPUBSUB_EXPORT
#define PGPUBSUB_HIDDEN
#endif

#endif
