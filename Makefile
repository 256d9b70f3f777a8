# pgpubsub: builds the extension and its client, and runs everything else.
#
#   make             the extension (pgpubsub.so), the client library and the command-line program
#   make install     installs them; DESTDIR and PG_CONFIG as with any PGXS extension, PREFIX for the client
#   make uninstall   removes what "make install" with the same settings has put there
#   make installcheck     the SQL tests in a running server where it is installed, as one of its superusers
#   make demo        the main job on real files, in a private PostgreSQL of its own (MEDIA=folder)
#   make test        every test, in a private PostgreSQL of its own; ends with "N passed, N failed"
#   make test-model  the library beside a model of it, step by step under chance, for long (SECONDS=600, SEED=number)
#   make lint        whether the C++ is laid out as agreed, and what clang-tidy and shellcheck say; "make test WITH_LINT=1" has it too
#   make format      lays out the C++
#   make test-versions    every test on the other versions in test/lib/postgresql-versions, each in a Debian of its own; as root
#   make test-start-states  build and demo on machines as people have them, each a Debian of its own; as root
#   make test-assert  the extension's tests on a PostgreSQL that is built with assertions, and with its caches discarded
#   make test-sanitizers  the tests of extension and client under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer
#   make bench       the benchmarks, beside other systems (doc/performance.md); QUICK=1 for a rough look
#   make clean       removes what was built
#   make help        says all this, and lists the single test suites
#
# demo, test and bench first install the Debian packages that are missing ("make deps" does that for the
# build). They never touch an installed PostgreSQL: they copy it into build/run and work there.
#
# Another PostgreSQL: make PG_CONFIG=/path/to/pg_config. Another compiler: make CXX=clang++.
# V=1 shows whole commands. WERROR=1 makes warnings errors. NO_DEPS=1 skips the check of the packages.

PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
BUILD     := build
SUITES    := harness unit symbols regress isolation preloaded tap readme $(if $(WITH_LINT),lint)

.DEFAULT_GOAL := all

# What is built is said in one short line a file: $(call says,CXX,$<)COMMAND.
ifndef V
.SILENT:
says = echo '  $(1)	$(2)'; 
endif

# What another user has built can't be built on. Only the goals that build something look.
ifneq (,$(filter-out help deps installcheck uninstall test-versions test-start-states,$(or $(MAKECMDGOALS),all)))
NOT_OURS := $(shell test/lib/check-tree.sh $(BUILD))
ifneq (,$(NOT_OURS))
$(error $(NOT_OURS))
endif
$(shell test/lib/forget-moved.sh $(BUILD))
endif

# ---------------------------------------------------------------------------------------------
# What is installed when the machine has it all already, and what runs first when it has not
# ---------------------------------------------------------------------------------------------

.PHONY: deps deps-demo deps-test deps-tap deps-lint test test-model test-versions test-start-states test-assert test-sanitizers \
        lint format demo bench help $(SUITES:%=test-%)

deps: deps-build
deps-build deps-demo deps-test deps-tap deps-lint: deps-%:
ifndef NO_DEPS
	@PG_CONFIG='$(PG_CONFIG)' CXX='$(CXX)' test/lib/install-deps.sh $*
endif

# All processors build, unless make was told how many (-j).
JOBS = $(if $(filter -j% j%,$(MAKEFLAGS)),,-j$(shell nproc))

# These start make once more, for after deps it can find a pg_config that was not there before.
BUILD_AND_TEST = $(MAKE) --no-print-directory $(JOBS) everything-for-tests && \
    $(MAKE) --no-print-directory private && \
    PG_CONFIG='$(PG_CONFIG)' CXX='$(CXX)' MAKE='$(MAKE)' test/lib/run-tests.sh

test: deps-tap $(if $(WITH_LINT),deps-lint)
	@test/lib/how-long.sh test
	@$(BUILD_AND_TEST) $(SUITES)

test-tap: deps-tap
$(filter-out test-tap,$(SUITES:%=test-%)): deps-test
$(SUITES:%=test-%): test-%:
	@$(BUILD_AND_TEST) $*

# test/t/model.pl alone; "make test" has a short run of it.
test-model: override SECONDS := $(or $(SECONDS),600)
test-model: deps-tap
	@T=model PGPUBSUB_SECONDS='$(SECONDS)' PGPUBSUB_SEED='$(SEED)' PGPUBSUB_SUITE_TIMEOUT=$$(($(SECONDS) + 1200)) && \
	    export T PGPUBSUB_SECONDS PGPUBSUB_SEED PGPUBSUB_SUITE_TIMEOUT && $(BUILD_AND_TEST) tap

lint: deps-lint
	@$(MAKE) --no-print-directory lint-checks

format: deps-lint
	find extension client examples test bench -name '*.[ch]pp' -o -name '*.c' | xargs clang-format-14 -i

test-versions:
	@test/lib/test-versions.sh

test-start-states:
	@test/lib/test-start-states.sh

test-assert: deps-tap
	@PG_CONFIG='$(PG_CONFIG)' CXX='$(CXX)' MAKE='$(MAKE)' test/lib/test-assert.sh

test-sanitizers: deps-tap
	@PG_CONFIG='$(PG_CONFIG)' MAKE='$(MAKE)' test/lib/test-sanitizers.sh

demo: deps-demo
	@test/lib/how-long.sh demo
	@$(MAKE) --no-print-directory $(JOBS) all media-scan
	@$(MAKE) --no-print-directory private
	@examples/media_scan/demo.sh

bench:
	@PG_CONFIG='$(PG_CONFIG)' NO_DEPS='$(NO_DEPS)' bench/install.sh
	@$(MAKE) --no-print-directory $(JOBS) client bench-programs
	@$(MAKE) --no-print-directory private
	@PG_CONFIG='$(PG_CONFIG)' test/lib/run-bench.sh

help:
	@sed -n '/^#   make/s/^#   /  /p' Makefile
	@echo '  make test-SUITE  one suite of: $(SUITES)'

# Without PGXS there is nothing that could be built.
ifeq ($(wildcard $(PGXS)),)

.PHONY: all install uninstall clean private everything-for-tests media-scan client bench-programs
all install private everything-for-tests media-scan client bench-programs:
	@echo 'make: no PostgreSQL to build for ($(PG_CONFIG) --pgxs names no file that make can include).' >&2
	@echo 'Run "make deps" to install what is missing on Debian, or give PG_CONFIG=/path/to/pg_config.' >&2
	@exit 1
uninstall:
	@echo 'make: no PostgreSQL to uninstall from ($(PG_CONFIG) --pgxs names no file): give PG_CONFIG.' >&2
	@exit 1
clean: clean-run
	rm -rf $(BUILD)

else

# ---------------------------------------------------------------------------------------------
# The extension
# ---------------------------------------------------------------------------------------------

EXTENSION   := extension/pgpubsub
EXTVERSION  := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)
DATA        := $(sort $(wildcard extension/pgpubsub--*.sql))
# The script of the version that is worked on is put together from its parts, in this order. Those of former versions, and the updates,
# are in extension/ as they were released.
SQL_PARTS   := schema tables triggers rights channels publish capture consume maintenance stored stats initial_privileges
SCRIPT      := $(BUILD)/extension/pgpubsub--$(EXTVERSION).sql
DATA_built  := $(SCRIPT)
MODULE_big  := pgpubsub
SHLIB_LINK  := -Wl,--version-script=extension/src/exports.map
MODULE_SRCS := $(sort $(wildcard extension/src/*.cpp extension/src/*/*.cpp))
OBJS        := $(MODULE_SRCS:extension/src/%.cpp=$(BUILD)/extension/%.o)
EXTRA_CLEAN := $(BUILD)

# For "make installcheck", which tests an installed extension in a running server: in a database of its own with UTF-8 and
# the C locale, whatever the server's are. A server has no prepared transactions unless they are asked for; then what
# tests them is left out, and that is said.
ALL_REGRESS    := $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ALL_ISOLATION  := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
PREPARED       := $(notdir $(basename $(shell grep -lE '^[^-\#]*PREPARE TRANSACTION' sql/*.sql test/specs/*.spec)))
LEFT_OUT        = $(if $(filter 0,$(shell '$(bindir)/psql' -XAtc 'SHOW max_prepared_transactions' postgres)),$(PREPARED))
REGRESS         = $(filter-out $(LEFT_OUT),$(ALL_REGRESS))
REGRESS_OPTS   := --load-extension=pgpubsub
ISOLATION       = $(filter-out $(LEFT_OUT),$(ALL_ISOLATION))
ISOLATION_OPTS := --load-extension=pgpubsub --inputdir=test
ENCODING       := UTF8
NO_LOCALE      := 1

# There is no bitcode: inlining a trigger or a claim into a JIT-compiled query would gain nothing.
override with_llvm := no

include $(PGXS)

PG_MAJOR := $(firstword $(MAJORVERSION))

$(eval PGXS_LINK = $(value LINK.shared))
LINK.shared = $(call says,LD,$@)$(PGXS_LINK)

# The C++ of the shared library: no exceptions, no RTTI, nothing exported that does not say so.
# PostgreSQL's headers are system headers here, so that warnings are about this project's code.
MODULE_CXXFLAGS := -std=c++20 -fno-exceptions -fno-rtti -fvisibility=hidden -fno-threadsafe-statics \
                   -Wall -Wextra -Wshadow -Wno-unused-parameter -Wno-missing-field-initializers \
                   $(if $(WERROR),-Werror)
# PostgreSQL 15 does not yet mark its magic and its function records as visible by itself.
MODULE_CPPFLAGS := -Iextension/src -DPGPUBSUB_VERSION='"$(EXTVERSION)"' \
                   $(if $(filter 15,$(PG_MAJOR)),-DPGDLLEXPORT='__attribute__((visibility("default")))')
# clang in C++17 and later stops at the keyword "register" in the headers of PostgreSQL 15, and does not
# know all warnings that the server was built with.
ifneq (,$(findstring clang,$(shell $(CXX) --version 2>/dev/null)))
MODULE_CXXFLAGS += -Wno-register -Wno-unknown-warning-option
endif
PG_SYSTEM_INCLUDES = $(subst -I/,-isystem /,$(filter-out -I. -I./ -I/usr/include,$(CPPFLAGS)))

$(BUILD)/extension/%.o: extension/src/%.cpp $(BUILD)/extension/flags
	@mkdir -p $(@D)
	$(call says,CXX,$<)$(CXX) $(CXXFLAGS) $(MODULE_CXXFLAGS) $(MODULE_CPPFLAGS) $(PG_SYSTEM_INCLUDES) -MMD -MP -c -o $@ $<

-include $(OBJS:.o=.d)

$(SCRIPT): $(SQL_PARTS:%=extension/sql/%.sql) Makefile
	@mkdir -p $(@D)
	$(call says,CAT,$@)awk 'FNR == 1 && NR > 1 { print "" } 1' $(filter %.sql,$^) > $@.new && mv $@.new $@

# Changes when the server's version, the compiler or the flags do, and everything is compiled anew.
MODULE_SETTINGS := $(VERSION) $(CXX) $(CXXFLAGS) $(filter-out -Werror,$(MODULE_CXXFLAGS)) $(MODULE_CPPFLAGS)
.PHONY: FORCE
$(BUILD)/extension/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(MODULE_SETTINGS)) | cmp -s - $@ || printf '%s\n' $(call quote,$(MODULE_SETTINGS)) > $@
quote = '$(subst ','\'',$(1))'

# ---------------------------------------------------------------------------------------------
# The client, the demo's consumer and the tests' programs
# ---------------------------------------------------------------------------------------------

# PARTS=extension leaves the client out of "make" and "make install".
PARTS := extension client
-include client/client.mk
ifneq (,$(filter client,$(PARTS)))
all: client
install: client-install
uninstall: client-uninstall
endif
installcheck: what-is-left-out
.PHONY: what-is-left-out
what-is-left-out:
	@$(if $(LEFT_OUT),echo 'This server has max_prepared_transactions = 0: left out are $(LEFT_OUT).')

install: installed-extension
.PHONY: installed-extension
installed-extension:
	@$(call says,INSTALL,the extension: $(DESTDIR)$(pkglibdir) and $(DESTDIR)$(datadir)/extension):

# What "make lint" and the suite lint run.
.PHONY: lint-checks
lint-checks:
	@FLAGS_extension='$(filter-out -W% -D%,$(MODULE_CXXFLAGS) $(MODULE_CPPFLAGS)) $(PG_SYSTEM_INCLUDES)' \
	    FLAGS_client='$(filter-out -W% -D%,$(CLIENT_CXXFLAGS) $(CLIENT_CPPFLAGS)) -Iclient/src -Iclient/cli $(CLIENT_LIB_CFLAGS)' \
	    test/lib/lint.sh

include examples/media_scan/media_scan.mk
include test/test.mk
include bench/bench.mk

# ---------------------------------------------------------------------------------------------
# The private PostgreSQL: a copy of the server in build/run/server with this extension installed
# ---------------------------------------------------------------------------------------------

# By its path without links: where that of the sources has a space, PostgreSQL's makefiles could not use it.
.PHONY: private
private:
	@PG_CONFIG='$(PG_CONFIG)' test/lib/private-server.sh
	@$(MAKE) --no-print-directory $(JOBS) PG_CONFIG="$$(cd $(BUILD)/run && pwd -P)/server/bin/pg_config" DESTDIR= PARTS=extension install

clean: clean-run

endif

.PHONY: clean-run
clean-run:
	@test/lib/clean.sh
