// The duties of the first process of a container.
#pragma once

#include <functional>

namespace pgpubsub::cli {

// Does the work in a child, and returns its exit status (128 plus the signal's number if a signal ended it). This
// process passes on the signals that ask to stop. It also reaps the processes that commands have left behind: the
// kernel makes it the parent of all orphans.
int run_below_first_process(const std::function<int()>& work);

}  // namespace pgpubsub::cli
