// What a trigger must be like to capture anything: anybody who may make triggers writes CREATE TRIGGER by hand.
//
// CREATE TRIGGER itself refuses another one, as far as the library is loaded then. One that is there all the same fails
// no write: what it should capture is not captured, with a warning. One that never fires, as its WHEN says, may have
// any form: filter triggers never do.
#pragma once

#include "pg/problem.hpp"

namespace pgpubsub {

struct capture_plan;

// What keeps the trigger from capturing any event at all: its time, its arguments. Codes:
// e_r_i_e_trigger_protocol_violated (39P01); invalid_parameter_value (22023) and name_too_long (42622) of arguments.
problem problem_of(const Trigger& trigger);

// What keeps a trigger FOR EACH STATEMENT from capturing these events (bits of pg_trigger.tgtype): it has no transition
// tables. Code: e_r_i_e_trigger_protocol_violated (39P01).
problem problem_of_tables(const Trigger& trigger, int16 events);

// After a command: an error if it has made a capture trigger that can't capture.
void check_trigger_after(const Node* command);

// For the trigger that is firing.
void warn_of(const problem& p, const Trigger& trigger, const capture_plan& plan);

// How to use capture().
extern const char* const capture_usage;

}  // namespace pgpubsub
