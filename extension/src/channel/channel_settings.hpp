// The settings of channels and subscriptions: reads them from the arguments of create_channel(), alter_channel() and
// subscribe(), checks them, and stores them.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// An argument that may be null. Null stands for the default, or for the present value.
struct optional_argument {
    bool is_given;
    Datum value;

    static optional_argument of(FunctionCallInfo fcinfo, int index) {
        return {!PG_ARGISNULL(index), PG_GETARG_DATUM(index)};
    }
};

// The settings of a subscription.
struct subscription_settings {
    optional_argument max_attempts;
    optional_argument backoff_base;
    optional_argument backoff_factor;
    optional_argument backoff_max;
    optional_argument backoff_jitter;
    optional_argument history;
    optional_argument filter;  // '{}' stands for no filter

    // Reads all settings but the filter. At: the positions of the arguments.
    template <typename At>
    static subscription_settings of(FunctionCallInfo fcinfo) {
        subscription_settings s{};
        s.max_attempts = optional_argument::of(fcinfo, At::max_attempts);
        s.backoff_base = optional_argument::of(fcinfo, At::backoff_base);
        s.backoff_factor = optional_argument::of(fcinfo, At::backoff_factor);
        s.backoff_max = optional_argument::of(fcinfo, At::backoff_max);
        s.backoff_jitter = optional_argument::of(fcinfo, At::backoff_jitter);
        s.history = optional_argument::of(fcinfo, At::history);
        return s;
    }
    bool any_is_given() const { return first_given() != nullptr; }
    // Returns the name of the first argument that is given; null if none is.
    const char* first_given() const;
};

// Refuses impossible values, by themselves or together with those of the subscription. Errors: invalid_parameter_value
// (22023).
void check_settings(const subscription_settings& settings, const subscription& present);

// Stores the settings that are given.
void store_settings(const subscription_settings& settings, int32 subscription_id);

// Refuses two arguments that can't both be given.
[[noreturn]] void contradicting_arguments(const char* one, const char* other, const char* why);

}  // namespace pgpubsub
