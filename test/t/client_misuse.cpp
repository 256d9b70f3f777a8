// What the library does when it is used as it should not be: client_misuse DSN. A line for each thing that is as it
// should be; what is not ends the program, or hangs. The channel "work" must exist, and have nothing in it.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include <pgpubsub/pgpubsub.hpp>

using namespace pgpubsub;

namespace {

std::string dsn;

void say(bool good, const std::string& what) {
    std::printf("%s %s\n", good ? "ok" : "not ok", what.c_str());
    std::fflush(stdout);
}

// Whether it is refused as something that can't be done now, with what to do instead.
template <typename Call>
bool refused(Call call) {
    try {
        call();
    } catch (const error& e) {
        return e.sqlstate() == "55000" && !e.hint().empty();
    }
    return false;
}

void publish() { session({.dsn = dsn}).publish({.channel = "work", .payload = "1"}); }

consumer_options quiet() {
    return {.dsn = dsn, .stop_on_signals = false, .log = [](log_level, std::string_view) {}};
}

// A consumer that runs in a thread of its own; it is there when it has handled one.
struct running {
    explicit running(leased_handler handle) {
        c->on("work", [this, handle](const notification& n) {
            handle(n);
            begun = true;
        });
        publish();
        thread = std::thread([one = c.get()] { one->run(); });
        while (!begun)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::unique_ptr<consumer> c = std::make_unique<consumer>(quiet());
    std::atomic<bool> begun = false;
    std::thread thread;
};

void while_it_runs() {
    running r([&](const notification&) {});
    say(refused([&] { r.c->run(); }), "run() while it runs");
    say(refused([&] { r.c->on("other", [](const notification&) {}); }), "on() while it runs");
    say(refused([&] { r.c->on_broadcast("other", [](const notification&) {}); }), "on_broadcast() while it runs");
    r.c.reset();
    r.thread.join();
    say(true, "the destructor ends what runs");
}

void in_a_handler() {
    consumer c(quiet());
    c.on("work", [&](const notification&) {
        say(refused([&] { c.run(); }), "run() in a handler");
        say(refused([&] { c.on("other", [](const notification&) {}); }), "on() in a handler");
        c.stop();
    });
    publish();
    c.run();

    auto gone = std::make_unique<consumer>(quiet());
    gone->on("work", [&](const notification&) { gone.reset(); });
    publish();
    gone->run();
    say(true, "a consumer that its handler destroys ends");
    c.on("other", [](const notification&) {});
    say(true, "after run() handlers are welcome again");
}

void moved() {
    consumer from(quiet());
    consumer to(std::move(from));
    from.stop();
    say(from.failures() == 0, "what was moved from has no failures");
    say(refused([&] { from.run(); }), "run() of what was moved from");
    say(refused([&] { from.on("work", [](const notification&) {}); }), "on() of what was moved from");
    say(refused([&] { from.stop_requests(); }), "stop_requests() of what was moved from");
    from = std::move(to);
    from.on("work", [](const notification&) {});
    say(true, "what was moved from can be assigned to");

    running r([](const notification&) {});
    *r.c = std::move(from);
    r.thread.join();
    say(true, "an assignment ends what runs");

    session s({.dsn = dsn});
    session t(std::move(s));
    say(refused([&] { s.query("SELECT 1"); }), "query() of a session that was moved from");
    say(refused([&] { s.publish({.channel = "work", .payload = "1"}); }), "publish() of a session that was moved from");
    say(t.query("SELECT 1").rows() == 1, "and the other one works");
    try {
        t.execute("SELECT 1; SELECT 2");
    } catch (const error& e) {
        say(!e.hint().empty(), "two statements at once: a hint says what to do");
    }
}

// Ends a process without what the parent would do at its end.
template <typename Call>
bool child_does(Call call) {
    const pid_t child = ::fork();
    if (child == 0) {
        call();
        ::_exit(0);
    }
    int status = 1;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

void forked() {
    auto s = std::make_unique<session>(session_options{.dsn = dsn});
    say(child_does([&] { s.reset(); }), "a child destroys its copy of a session");
    say(s->query("SELECT 1").rows() == 1, "and the parent's goes on");

    auto c = std::make_unique<consumer>(quiet());
    bool fine = false;
    c->on("work", [&](const notification&, transaction& tx) {
        fine = child_does([&] { c.reset(); }) && tx.query("SELECT 1").rows() == 1;
        c->stop();
    });
    publish();
    c->run();
    say(fine, "a child destroys its copy of a consumer that runs");

    running r([](const notification&) {});
    say(child_does([&] { r.c.reset(); }), "the same, forked by another thread");
    r.c.reset();
    r.thread.join();
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2)
        return 2;
    dsn = argv[1];
    while_it_runs();
    in_a_handler();
    moved();
    forked();
} catch (const error& e) {
    std::fprintf(stderr, "fatal: %s [%s] %s\n", e.what(), e.sqlstate().c_str(), e.hint().c_str());
    return 1;
}
