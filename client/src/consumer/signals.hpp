// Turns SIGINT, SIGTERM and SIGHUP into a stop of the running consumers.
#pragma once

namespace pgpubsub::inline v0 {

class inbox;

// While an object of this class exists, each SIGINT and SIGTERM posts a stop to its inbox, and so does SIGHUP if it
// would otherwise just end the process. Signals within half a second count once: a service manager signals each process
// of a group, and a parent passes on the signals that it gets. The first object installs the handlers (a signal that is
// ignored stays ignored); the last object restores the former ones.
class stop_on_signals {
public:
    explicit stop_on_signals(inbox& in);
    ~stop_on_signals();
    stop_on_signals(const stop_on_signals&) = delete;
    stop_on_signals& operator=(const stop_on_signals&) = delete;

private:
    int slot_ = -1;
};

}  // namespace pgpubsub::inline v0
