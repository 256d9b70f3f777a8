// The implementation of a result.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <pgpubsub/result.hpp>

#include "pq/connection.hpp"

namespace pgpubsub::inline v0 {

struct result::impl {
    pg_result handle;
};

inline result make_result(pg_result handle) {
    return result(std::make_shared<const result::impl>(result::impl{std::move(handle)}));
}

std::uint64_t affected_rows(const PGresult* result) noexcept;

}  // namespace pgpubsub::inline v0
