# What the tests need built. Included by the Makefile; test/lib/run-tests.sh runs the suites.
#
# The unit tests are of the extension's pure code: what includes nothing of PostgreSQL.
# The client has unit tests of its own (client/client.mk).

UNIT_SRCS := $(filter-out test/unit/client_%,$(sort $(wildcard test/unit/*.cpp)))
UNIT_PURE := $(sort $(wildcard extension/src/pure/*.cpp))
UNIT_OBJS := $(UNIT_SRCS:test/unit/%.cpp=$(BUILD)/test/unit/%.o) $(UNIT_PURE:extension/src/pure/%.cpp=$(BUILD)/test/pure/%.o)
UNIT_CXXFLAGS := -std=c++20 -O1 -g -Wall -Wextra $(if $(WERROR),-Werror)

.PHONY: everything-for-tests unit
everything-for-tests: all media-scan unit $(CLIENT_UNIT) $(CLIENT_ALONE)

unit: $(BUILD)/test/unit/unit

$(BUILD)/test/unit/unit: $(UNIT_OBJS) $(BUILD)/test/unit/doctest_main.o
	$(call says,LD,$@)$(CXX) -o $@ $^

$(BUILD)/test/unit/%.o: test/unit/%.cpp
	@mkdir -p $(@D)
	$(call says,CXX,$<)$(CXX) $(UNIT_CXXFLAGS) -Iextension/src -MMD -MP -c -o $@ $<

$(BUILD)/test/pure/%.o: extension/src/pure/%.cpp
	@mkdir -p $(@D)
	$(call says,CXX,$<)$(CXX) $(UNIT_CXXFLAGS) -Iextension/src -MMD -MP -c -o $@ $<

$(BUILD)/test/unit/doctest_main.o:
	@mkdir -p $(@D)
	$(call says,CXX,$@)printf '#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN\n#include <doctest/doctest.h>\n' | \
	    $(CXX) $(UNIT_CXXFLAGS) -x c++ -c -o $@ -

-include $(UNIT_OBJS:.o=.d)
