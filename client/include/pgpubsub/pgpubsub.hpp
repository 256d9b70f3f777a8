// libpgpubsub: consumes from and publishes to PostgreSQL as a message broker. This header includes all others.
#ifndef PGPUBSUB_PGPUBSUB_HPP
#define PGPUBSUB_PGPUBSUB_HPP

#include <pgpubsub/export.hpp>  // first: it reports a compiler that is set to an older C++

#if __cplusplus >= 201709L  // otherwise there is nothing more to report
#include <pgpubsub/consumer.hpp>
#include <pgpubsub/error.hpp>
#include <pgpubsub/handler.hpp>
#include <pgpubsub/log.hpp>
#include <pgpubsub/message.hpp>
#include <pgpubsub/notification.hpp>
#include <pgpubsub/result.hpp>
#include <pgpubsub/session.hpp>
#include <pgpubsub/transaction.hpp>
#include <pgpubsub/version.hpp>
#endif

#endif
