// The SQLSTATEs on which the client acts, and their meaning for it. Pure.
#pragma once

#include <string_view>

namespace pgpubsub::inline v0::sqlstate {

inline constexpr std::string_view unable_to_connect = "08001";
inline constexpr std::string_view connection_lost = "08006";
inline constexpr std::string_view server_rejected = "08004";
inline constexpr std::string_view outcome_unknown = "08007";
inline constexpr std::string_view feature_missing = "0A000";
inline constexpr std::string_view invalid_parameter = "22023";
inline constexpr std::string_view invalid_text = "22P02";
inline constexpr std::string_view transaction_control = "2D000";
inline constexpr std::string_view serialization_failure = "40001";
inline constexpr std::string_view read_only = "25006";
inline constexpr std::string_view aborted_transaction = "25P02";
inline constexpr std::string_view idle_in_transaction = "25P03";
inline constexpr std::string_view no_privilege = "42501";
inline constexpr std::string_view undefined_object = "42704";
inline constexpr std::string_view undefined_function = "42883";
inline constexpr std::string_view undefined_schema = "3F000";
inline constexpr std::string_view wrong_object_type = "42809";
inline constexpr std::string_view wrong_moment = "55000";
inline constexpr std::string_view cancelled = "57014";

// Returns whether the same work may succeed if it is simply tried again.
constexpr bool is_retryable(std::string_view state) {
    if (state == server_rejected)
        return false;  // refused for a reason that stays
    const std::string_view kind = state.substr(0, 2);
    return kind == "08" || kind == "40" || kind == "53" || state == "55P03" || state == "57P01" || state == "57P02" ||
           state == "57P03" || state == "57P05" || state == read_only;
}

// Returns whether no server accepts connections at the moment: none answers, or it is starting up or shutting down.
constexpr bool is_away(std::string_view state) {
    if (state == server_rejected)
        return false;
    return state.substr(0, 2) == "08" || state == "57P01" || state == "57P02" || state == "57P03";
}

// Returns whether the transaction conflicted with another one (a serialization failure, a deadlock).
constexpr bool is_conflict(std::string_view state) { return state.substr(0, 2) == "40"; }

// Returns whether the server ends the connection after it has reported this.
constexpr bool ends_connection(std::string_view state) {
    return state.substr(0, 2) == "08" || state == "57P01" || state == "57P02" || state == "57P03" || state == "57P04" ||
           state == "57P05" || state == "25P03";
}

// Returns whether a row can't be sent, because the connection's encoding (UTF-8) can't represent its content.
constexpr bool is_unreadable(std::string_view state) { return state == "22021" || state == "22P05"; }

// Returns whether waiting does not help: somebody must grant, install, upgrade or correct something.
constexpr bool is_permanent(std::string_view state) {
    return state == no_privilege || state == undefined_function || state == undefined_schema ||
           state == feature_missing || state == invalid_parameter || state == wrong_object_type ||
           state == invalid_text;
}

}  // namespace pgpubsub::inline v0::sqlstate
