// SQL results and parameters over libpq's PGresult.

#include <pgpubsub/result.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "pq/result_impl.hpp"

namespace pgpubsub::inline v0 {

param::param(double value) {
    if (std::isnan(value)) {
        text_ = "NaN";
    } else if (std::isinf(value)) {
        text_ = value > 0 ? "Infinity" : "-Infinity";
    } else {
        std::array<char, 32> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;  // shortest exact form
        text_ = std::string(digits.data(), end);
    }
}

result::result(std::shared_ptr<const impl> rows) noexcept : impl_(std::move(rows)) {}

std::size_t result::rows() const noexcept { return static_cast<std::size_t>(PQntuples(impl_->handle.get())); }
std::size_t result::columns() const noexcept { return static_cast<std::size_t>(PQnfields(impl_->handle.get())); }
std::uint64_t result::affected() const noexcept { return affected_rows(impl_->handle.get()); }

std::string_view result::name(std::size_t column) const {
    if (column >= columns())
        throw std::out_of_range("the result has no column " + std::to_string(column));
    return PQfname(impl_->handle.get(), static_cast<int>(column));
}

std::optional<std::string_view> result::at(std::size_t row, std::size_t column) const {
    if (row >= rows())
        throw std::out_of_range("the result has no row " + std::to_string(row));
    if (column >= columns())
        throw std::out_of_range("the result has no column " + std::to_string(column));
    return value_at(impl_->handle.get(), static_cast<int>(row), static_cast<int>(column));
}

std::optional<std::string_view> result::at(std::size_t row, std::string_view column) const {
    for (int i = 0; i < PQnfields(impl_->handle.get()); ++i)  // exact comparison: PQfnumber would fold the case
        if (column == PQfname(impl_->handle.get(), i))
            return at(row, static_cast<std::size_t>(i));
    throw std::out_of_range("the result has no column \"" + std::string(column) + "\"");
}

std::uint64_t affected_rows(const PGresult* result) noexcept {
    const char* count = PQcmdTuples(const_cast<PGresult*>(result));  // libpq's signature lacks the const
    return std::strtoull(count, nullptr, 10);
}

}  // namespace pgpubsub::inline v0
