// SQL parameters and results, without libpq.
#ifndef PGPUBSUB_RESULT_HPP
#define PGPUBSUB_RESULT_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pgpubsub/export.hpp>

namespace pgpubsub::inline v0 {

/// One parameter of a statement ($1, $2, …): text, an integer, a double, a bool, or null (nullptr, or an empty
/// optional). The server infers the type from the position of the parameter; if it can't, write a cast: `$1::bigint`.
class param {
public:
    param(std::nullptr_t) {}
    param(std::nullopt_t) {}
    param(const char* text) : text_(text != nullptr ? std::optional<std::string>(text) : std::nullopt) {}
    param(std::string text) : text_(std::move(text)) {}
    param(std::string_view text) : text_(std::string(text)) {}
    param(std::same_as<bool> auto value) : text_(value ? "true" : "false") {}
    template <std::integral T>
    requires(!std::same_as<T, bool>) param(T value) : text_(std::to_string(value)) {}
    PGPUBSUB_EXPORT param(double value);
    template <typename T>
    requires std::constructible_from<param, const T&> param(const std::optional<T>& value) {
        if (value)
            text_ = param(*value).text_;
    }

    /// Returns the parameter as it is sent; no value for null.
    const std::optional<std::string>& text() const noexcept { return text_; }

private:
    std::optional<std::string> text_{};
};

/// The parameters of a statement, in order.
using params = std::vector<param>;

/// The rows that a statement returned. Copies share them.
class PGPUBSUB_EXPORT result {
public:
    struct PGPUBSUB_HIDDEN impl;
    explicit result(std::shared_ptr<const impl> rows) noexcept;

    std::size_t rows() const noexcept;     ///< number of rows
    std::size_t columns() const noexcept;  ///< number of columns

    /// Returns the name of a column, valid as long as this result or a copy of it lives.
    /// @throws std::out_of_range if there is no such column
    std::string_view name(std::size_t column) const;

    /// Returns how many rows an INSERT, UPDATE, DELETE or MERGE changed, or a SELECT returned.
    std::uint64_t affected() const noexcept;

    /// Returns a value as text, valid as long as this result or a copy of it lives; no value for null.
    /// @throws std::out_of_range if there is no such row or column
    std::optional<std::string_view> at(std::size_t row, std::size_t column) const;

    /// Returns a value by the name of its column; otherwise like the other at().
    std::optional<std::string_view> at(std::size_t row, std::string_view column) const;

private:
    std::shared_ptr<const impl> impl_;
};

}  // namespace pgpubsub::inline v0

#endif
