// The duties of the first process of a container.
#pragma once

#include <functional>

namespace pgpubsub::cli {

// Does the work in a child, and returns its exit status (128 and the signal's number if one ended it). This process
// passes on the signals that ask to stop, and reaps what commands have left behind: the kernel makes it the parent of
// all that is orphaned.
int run_below_first_process(const std::function<int()>& work);

}  // namespace pgpubsub::cli
