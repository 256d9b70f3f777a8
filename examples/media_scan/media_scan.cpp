// A consumer with real work: it hashes the files that the table media names, and stores each digest in the
// transaction in which it took the notification. Killed at any moment, it leaves either both or neither.
//
//     media_scan --name NAME [--batch N] [--stop-at N]
//
// The server is the one of PGHOST, PGDATABASE and so on. --stop-at stops the process (SIGSTOP) in the
// middle of its Nth file, its transaction open: demo.sh kills it there.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <pgpubsub/pgpubsub.hpp>

namespace {

struct scan {
    std::uint64_t bytes = 0;
    std::string sha256;  // hexadecimal
};

std::string to_hex(const unsigned char* bytes, std::size_t count) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

// A bytea as JSON shows it: \x and hexadecimal digits.
std::string from_bytea(std::string_view text) {
    if (!text.starts_with("\\x") || text.size() % 2 != 0)
        throw std::runtime_error("not a bytea: " + std::string(text));
    std::string bytes;
    for (std::size_t i = 2; i < text.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

scan scan_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error(std::strerror(errno));

    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (!digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("no SHA-256");

    scan found;
    std::vector<char> buffer(1 << 16);
    do {
        file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        const auto count = static_cast<std::size_t>(file.gcount());
        found.bytes += count;
        EVP_DigestUpdate(digest.get(), buffer.data(), count);
    } while (file);
    if (file.bad())
        throw std::runtime_error("the file could not be read to its end");

    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_DigestFinal_ex(digest.get(), sum, &length);
    found.sha256 = to_hex(sum, length);
    return found;
}

}  // namespace

int main(int argc, char** argv) {
    std::string name = "1";
    pgpubsub::consumer_options options;
    long stop_at = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i];
        if (option == "--name")
            name = argv[i + 1];
        if (option == "--batch")
            options.batch = std::atoi(argv[i + 1]);
        if (option == "--stop-at")
            stop_at = std::atol(argv[i + 1]);
    }
    options.application_name = "media_scan " + name;

    long done = 0;
    pgpubsub::consumer consumer(options);
    consumer.on("media", [&](const pgpubsub::notification& notification, pgpubsub::transaction& transaction) {
        const auto payload = nlohmann::json::parse(notification.payload);
        const auto& row = payload.at("new");
        const auto id = row.at("id").get<std::int64_t>();
        try {
            const scan found = scan_file(from_bytea(row.at("path").get<std::string>()));
            transaction.execute(
                "INSERT INTO scan_result (media_id, bytes, sha256, consumer) VALUES ($1, $2, decode($3, 'hex'), $4)",
                {id, found.bytes, found.sha256, name});
        } catch (const pgpubsub::error&) {
            throw;  // the transaction's failure, not the file's
        } catch (const std::exception& problem) {
            transaction.execute("INSERT INTO scan_result (media_id, error, consumer) VALUES ($1, $2, $3)",
                                {id, problem.what(), name});
        }
        if (++done == stop_at)
            std::raise(SIGSTOP);
    });

    try {
        consumer.run();
    } catch (const pgpubsub::error& problem) {
        std::fprintf(stderr, "media_scan: %s\n%s\n", problem.what(), problem.hint().c_str());
        return 1;
    }
    std::printf("%ld files\n", done);
}
