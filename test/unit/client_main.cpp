// The unit tests of the client's pure code: test/unit/client_*.cpp make one program.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
