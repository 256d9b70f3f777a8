#include <iostream>
#include <pgpubsub/pgpubsub.hpp>

int main() {
    pgpubsub::consumer consumer({.dsn = "dbname=app"});
    consumer.on("media", [](const pgpubsub::notification& n, pgpubsub::transaction& tx) {
        tx.execute("INSERT INTO scan_result (path) SELECT $1::jsonb -> 'new' ->> 'path'", {n.payload});
        std::cout << "done: " << n.id << std::endl;
    });
    consumer.run();
}
