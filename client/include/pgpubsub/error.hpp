// The one exception type of the library.
#ifndef PGPUBSUB_ERROR_HPP
#define PGPUBSUB_ERROR_HPP

#include <memory>
#include <stdexcept>
#include <string>

#include <pgpubsub/export.hpp>

namespace pgpubsub::inline v0 {

/// The properties of an error beside its message.
struct error_facts {
    std::string sqlstate = {};     ///< five characters; empty if neither the server nor libpq was involved
    std::string hint = {};         ///< what to do about the error, as a sentence; may be empty
    bool connection_lost = false;  ///< the connection is gone, and with it the open transaction
    bool in_doubt = false;         ///< the connection was lost during a COMMIT: either outcome is possible
};

/// The type of all errors that the library reports: branch on its properties, never on its text.
class PGPUBSUB_EXPORT error : public std::runtime_error {
public:
    /// @param message  lower-case, without a period at its end; what() returns it
    explicit error(const std::string& message, error_facts facts = {});
    error(const error&) noexcept;
    error& operator=(const error&) noexcept;
    ~error() override;

    /// Returns the SQLSTATE (five characters), or an empty string if there is none. Problems with the connection have
    /// class 08, wrong options and arguments 22023.
    const std::string& sqlstate() const noexcept;

    /// Returns what to do about the error, as a sentence: the server's HINT or the library's own. May be empty.
    const std::string& hint() const noexcept;

    /// Returns whether the same work may succeed if it is simply tried again. That is so for
    /// - a lost connection;
    /// - a serialization failure or deadlock (class 40);
    /// - a lack of resources (class 53);
    /// - a lock that was not free (55P03);
    /// - a server that is starting up or shutting down (57P01 to 57P03).
    bool retryable() const noexcept;

    /// Returns whether the connection is gone. The open transaction was rolled back, unless in_doubt().
    bool connection_lost() const noexcept;

    /// Returns whether the connection was lost during a commit, so that its outcome is unknown.
    bool in_doubt() const noexcept;

private:
    std::shared_ptr<const error_facts> facts_;  // shared, so that copying an exception can't throw
};

}  // namespace pgpubsub::inline v0

#endif
