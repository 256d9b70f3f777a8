// What a trigger must be like to capture anything: every user who may make triggers can write CREATE TRIGGER by hand.
//
// If the library is loaded then, CREATE TRIGGER itself refuses an unsuitable trigger. An unsuitable trigger that exists
// all the same fails no write: its changes are not captured, with a warning. A trigger whose WHEN is never true may
// have any form: that is so for filter triggers.
#pragma once

#include "pg/problem.hpp"

namespace pgpubsub {

struct capture_plan;

// Returns what keeps the trigger from capturing any event at all: its time, or its arguments. Codes:
// e_r_i_e_trigger_protocol_violated (39P01); invalid_parameter_value (22023) and name_too_long (42622) for arguments.
problem problem_of(const Trigger& trigger);

// Returns what keeps a trigger FOR EACH STATEMENT from capturing these events (bits of pg_trigger.tgtype): it has no
// transition tables. Code: e_r_i_e_trigger_protocol_violated (39P01).
problem problem_of_tables(const Trigger& trigger, int16 events);

// Called after a command. Raises an error if the command has made a capture trigger that can't capture.
void check_trigger_after(const Node* command);

// Warns of a problem of the firing trigger.
void warn_of(const problem& p, const Trigger& trigger, const capture_plan& plan);

// How to use capture().
extern const char* const capture_usage;

}  // namespace pgpubsub
