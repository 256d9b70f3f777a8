// Commands that the shared memory must know before they are executed, and commands that our rights, captures or locks
// must follow.
//
// - LISTEN and UNLISTEN: which session listens (sessions.hpp).
// - DROP EXTENSION: the worker ends.
// - DROP DATABASE, ALTER DATABASE ... RENAME or SET TABLESPACE, CREATE DATABASE ... TEMPLATE: PostgreSQL refuses them
//   while any process is connected to the database. So its worker leaves for that time.
#pragma once

namespace pgpubsub {

// Sets the hook, if the library is being preloaded. Called once, when the library is loaded.
void watch_utility_commands();

}  // namespace pgpubsub
