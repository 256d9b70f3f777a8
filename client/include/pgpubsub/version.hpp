// The version of the client library.
#ifndef PGPUBSUB_VERSION_HPP
#define PGPUBSUB_VERSION_HPP

#include <pgpubsub/export.hpp>

namespace pgpubsub::inline v0 {

/// Returns the version of the library in use, such as "0.1.0". It equals the version of the extension that was released
/// with it. A server with an older extension is refused if the library needs more than that extension has.
PGPUBSUB_EXPORT const char* version() noexcept;

}  // namespace pgpubsub::inline v0

#endif
