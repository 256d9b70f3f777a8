// A consumer of a paused queue waits, or has drained it, without having seen anything: that is said, once.

#include "worker.hpp"

namespace pgpubsub::inline v0 {

void warn_of_pauses(worker& w, const std::vector<channel_state>& channels) {
    for (const auto& c : channels) {
        try {
            const auto call = is_paused_statement(c.from);
            if (read_text(w.server->exec(call.sql, call.parameters).get()) == "t")
                w.log.warning("{} is paused: nothing of it is handed out until pgpubsub.resume_channel() is called", c.label);
        } catch (const error& e) {
            if (e.connection_lost()) throw;  // else whatever is wrong shows when something is taken
        }
    }
}

}  // namespace pgpubsub::inline v0
