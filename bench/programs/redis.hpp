// Redis by hiredis, on the unix socket REDIS_SOCKET: the stream "bench" with its group "workers".
#pragma once

#include <hiredis/hiredis.h>

#include <algorithm>

#include "postgres.hpp"
#include "sources.hpp"

namespace bench {

struct redis_deleter {
    void operator()(redisContext* c) const { redisFree(c); }
    void operator()(redisReply* r) const { freeReplyObject(r); }
};
using redis_reply = std::unique_ptr<redisReply, redis_deleter>;

class redis_connection {
public:
    redis_connection() {
        const char* path = std::getenv("REDIS_SOCKET");
        context_.reset(redisConnectUnix(path == nullptr ? "" : path));
        if (!context_ || context_->err != 0)
            die("cannot connect to Redis");
    }
    redis_reply run(const std::vector<std::string>& words) {
        append(words);
        return next();
    }
    // append() sends without waiting; next() waits for the answer to the oldest that has none yet.
    void append(const std::vector<std::string>& words) {
        std::vector<const char*> text;
        std::vector<std::size_t> length;
        for (const std::string& w : words) {
            text.push_back(w.data());
            length.push_back(w.size());
        }
        redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), text.data(), length.data());
    }
    redis_reply next() {
        void* reply = nullptr;
        if (redisGetReply(context_.get(), &reply) != REDIS_OK)
            die(std::string("Redis: ") + context_->errstr);
        redis_reply owned(static_cast<redisReply*>(reply));
        if (owned->type == REDIS_REPLY_ERROR)
            die(std::string("Redis: ") + owned->str);
        return owned;
    }

private:
    std::unique_ptr<redisContext, redis_deleter> context_;
};

// XREADGROUP and XACK. What is acked stays in the stream; removing it (XDEL, XTRIM) would come on top.
class redis_stream : public source {
public:
    redis_stream(int batch, int index)
        : read_{"XREADGROUP", "GROUP", "workers", "c" + std::to_string(index), "COUNT", std::to_string(batch),
                "STREAMS",    "bench", ">"} {}

    std::size_t take(const handler& handle) override {
        const redis_reply reply = waiting_ ? std::move(waiting_) : connection_.run(read_);
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
            return 0;
        const redisReply* entries = reply->element[0]->element[1];
        std::vector<std::string> ack{"XACK", "bench", "workers"};
        for (std::size_t i = 0; i < entries->elements; ++i) {
            const redisReply* entry = entries->element[i];
            const redisReply* payload = entry->element[1]->element[1];
            handle({payload->str, payload->len});
            ack.emplace_back(entry->element[0]->str, entry->element[0]->len);
        }
        connection_.run(ack);
        return entries->elements;
    }
    // BLOCK 0 would be for ever. The blocking read already claims what it returns; take() hands that on.
    void wait(int milliseconds) override {
        std::vector<std::string> words = read_;
        words.insert(words.begin() + 6, {"BLOCK", std::to_string(std::max(milliseconds, 1))});
        waiting_ = connection_.run(words);
    }

private:
    redis_connection connection_;
    std::vector<std::string> read_;
    redis_reply waiting_;
};

}  // namespace bench
