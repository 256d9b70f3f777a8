// Commands that the shared memory must know of before they are executed, and those that our rights, captures or locks
// have to follow.
//
// - LISTEN and UNLISTEN: who listens (sessions.hpp).
// - DROP EXTENSION: the worker ends.
// - DROP DATABASE, ALTER DATABASE ... RENAME or SET TABLESPACE, CREATE DATABASE ... TEMPLATE: PostgreSQL refuses them
//   while anybody is connected to the database. So its worker goes away for the while.
#pragma once

namespace pgpubsub {

// Sets the hook, if the library is being preloaded. Called once, when the library is loaded.
void watch_utility_commands();

}  // namespace pgpubsub
