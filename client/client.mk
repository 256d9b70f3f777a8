# The client: library, command-line program and their unit tests. Included by the Makefile at the top,
# whose targets it leaves alone; all its variables begin with CLIENT_ and all it builds is in build/client.
#
#   make client           the library (shared and static) and the program pgpubsub
#   make client-install   installs them below PREFIX (default /usr/local); DESTDIR is honoured
#   make client-uninstall removes all that
#   make client-unit      builds and runs the unit tests, and compiles each public header alone

comma := ,
CLIENT_BUILD    := build/client
CLIENT_PREFIX    = $(or $(PREFIX),/usr/local)
CLIENT_LIBDIR    = $(CLIENT_PREFIX)/lib
CLIENT_VERSION  := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" extension/pgpubsub.control)
CLIENT_SOVERSION := 0
CLIENT_SONAME   := libpgpubsub.so.$(CLIENT_SOVERSION)

# -isystem keeps warnings about other people's headers out; fmt and libpq are inside the library only.
CLIENT_LIB_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpq fmt 2>/dev/null))
CLIENT_LIB_LIBS   := $(shell pkg-config --libs libpq fmt 2>/dev/null)
CLIENT_CXXFLAGS   := -std=c++20 -O2 -g -fPIC -fvisibility=hidden -pthread -Wall -Wextra -Wshadow \
                     $(if $(WERROR),-Werror)
CLIENT_CPPFLAGS   := -Iclient/include -DPGPUBSUB_VERSION='"$(CLIENT_VERSION)"'
CLIENT_COMPILE    = $(CXX) $(CLIENT_CXXFLAGS) $(CLIENT_CPPFLAGS) $(CLIENT_LIB_CFLAGS) -MMD -MP

CLIENT_HEADERS  := $(sort $(wildcard client/include/pgpubsub/*.hpp))
CLIENT_LIB_OBJS := $(patsubst client/%.cpp,$(CLIENT_BUILD)/%.o,$(sort $(wildcard client/src/*/*.cpp)))
CLIENT_CLI_OBJS := $(patsubst client/%.cpp,$(CLIENT_BUILD)/%.o,$(sort $(wildcard client/cli/*.cpp client/cli/*/*.cpp)))
CLIENT_SHARED   := $(CLIENT_BUILD)/libpgpubsub.so.$(CLIENT_VERSION)
CLIENT_STATIC   := $(CLIENT_BUILD)/libpgpubsub.a
CLIENT_PROGRAM  := $(CLIENT_BUILD)/pgpubsub

.PHONY: client client-install client-uninstall client-unit
client: $(CLIENT_SHARED) $(CLIENT_STATIC) $(CLIENT_PROGRAM)

$(CLIENT_LIB_OBJS): CLIENT_CPPFLAGS += -Iclient/src
# The program shares the library's pure headers.
$(CLIENT_CLI_OBJS): CLIENT_CPPFLAGS += -Iclient/src -Iclient/cli

$(CLIENT_BUILD)/%.o: client/%.cpp client/client.mk extension/pgpubsub.control
	@mkdir -p $(@D)
	$(call says,CXX,$<)$(CLIENT_COMPILE) -c -o $@ $<

$(CLIENT_SHARED): $(CLIENT_LIB_OBJS) client/package/libpgpubsub.map
	$(call says,LD,$@)$(CXX) -shared -pthread -Wl,-soname,$(CLIENT_SONAME) -Wl,--no-undefined -Wl,--version-script=client/package/libpgpubsub.map \
	    -o $@ $(CLIENT_LIB_OBJS) $(CLIENT_LIB_LIBS)
	ln -sf $(notdir $@) $(CLIENT_BUILD)/$(CLIENT_SONAME)
	ln -sf $(CLIENT_SONAME) $(CLIENT_BUILD)/libpgpubsub.so

$(CLIENT_STATIC): $(CLIENT_LIB_OBJS)
	rm -f $@
	$(call says,AR,$@)$(AR) rcs $@ $^

# The program has the library inside, so that it runs from wherever it is put.
$(CLIENT_PROGRAM): $(CLIENT_CLI_OBJS) $(CLIENT_STATIC)
	$(call says,LD,$@)$(CXX) -pthread -o $@ $^ $(CLIENT_LIB_LIBS)

# ---------------------------------------------------------------------------------------------
# Installation
# ---------------------------------------------------------------------------------------------

client-install: client
	$(call says,INSTALL,the client: $(DESTDIR)$(CLIENT_PREFIX)/bin$(comma) include and lib)install -d '$(DESTDIR)$(CLIENT_PREFIX)/bin' '$(DESTDIR)$(CLIENT_PREFIX)/include/pgpubsub' \
	    '$(DESTDIR)$(CLIENT_LIBDIR)/pkgconfig' '$(DESTDIR)$(CLIENT_LIBDIR)/cmake/pgpubsub'
	install -m 755 $(CLIENT_PROGRAM) '$(DESTDIR)$(CLIENT_PREFIX)/bin/'
	install -m 644 $(CLIENT_HEADERS) '$(DESTDIR)$(CLIENT_PREFIX)/include/pgpubsub/'
	install -m 644 $(CLIENT_STATIC) '$(DESTDIR)$(CLIENT_LIBDIR)/'
	install -m 755 $(CLIENT_SHARED) '$(DESTDIR)$(CLIENT_LIBDIR)/'
	ln -sf $(notdir $(CLIENT_SHARED)) '$(DESTDIR)$(CLIENT_LIBDIR)/$(CLIENT_SONAME)'
	ln -sf $(CLIENT_SONAME) '$(DESTDIR)$(CLIENT_LIBDIR)/libpgpubsub.so'
	sed -e 's|@PREFIX@|$(CLIENT_PREFIX)|' -e 's|@VERSION@|$(CLIENT_VERSION)|' client/package/pgpubsub.pc.in \
	    > '$(DESTDIR)$(CLIENT_LIBDIR)/pkgconfig/pgpubsub.pc'
	sed -e 's|@SHARED@|$(notdir $(CLIENT_SHARED))|' -e 's|@SONAME@|$(CLIENT_SONAME)|' \
	    client/package/pgpubsubConfig.cmake.in > '$(DESTDIR)$(CLIENT_LIBDIR)/cmake/pgpubsub/pgpubsubConfig.cmake'
	sed 's|@VERSION@|$(CLIENT_VERSION)|' client/package/pgpubsubConfigVersion.cmake.in \
	    > '$(DESTDIR)$(CLIENT_LIBDIR)/cmake/pgpubsub/pgpubsubConfigVersion.cmake'
	@# So that programs find the library when they start. Not for a package that is being built.
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then \
	    PATH="$$PATH:/usr/sbin:/sbin" ldconfig || echo 'client-install: ldconfig failed; run it by hand' >&2; fi

# Of every version: what an older one has put there goes too.
client-uninstall:
	rm -f '$(DESTDIR)$(CLIENT_PREFIX)/bin/pgpubsub' '$(DESTDIR)$(CLIENT_LIBDIR)'/libpgpubsub.a \
	    '$(DESTDIR)$(CLIENT_LIBDIR)'/libpgpubsub.so* '$(DESTDIR)$(CLIENT_LIBDIR)/pkgconfig/pgpubsub.pc'
	rm -rf '$(DESTDIR)$(CLIENT_PREFIX)/include/pgpubsub' '$(DESTDIR)$(CLIENT_LIBDIR)/cmake/pgpubsub'

# ---------------------------------------------------------------------------------------------
# Unit tests
# ---------------------------------------------------------------------------------------------

CLIENT_UNIT_BUILD := build/unit
CLIENT_UNIT_OBJS  := $(patsubst test/unit/%.cpp,$(CLIENT_UNIT_BUILD)/%.o,$(sort $(wildcard test/unit/client_*.cpp)))
CLIENT_UNIT_CLI   := $(filter-out $(CLIENT_BUILD)/cli/main.o,$(CLIENT_CLI_OBJS))
CLIENT_UNIT       := $(CLIENT_UNIT_BUILD)/client_unit
CLIENT_ALONE      := $(CLIENT_HEADERS:client/include/pgpubsub/%.hpp=$(CLIENT_UNIT_BUILD)/alone/%.ok)

client-unit: $(CLIENT_UNIT) $(CLIENT_ALONE)
	$(CLIENT_UNIT)

$(CLIENT_UNIT_BUILD)/client_%.o: test/unit/client_%.cpp client/client.mk
	@mkdir -p $(@D)
	$(call says,CXX,$<)$(CLIENT_COMPILE) -Iclient/src -Iclient/cli -c -o $@ $<

$(CLIENT_UNIT): $(CLIENT_UNIT_OBJS) $(CLIENT_UNIT_CLI) $(CLIENT_STATIC)
	$(call says,LD,$@)$(CXX) -pthread -o $@ $^ $(CLIENT_LIB_LIBS)

# Alone, and without the flags for libpq and fmt: what a program that includes it has.
$(CLIENT_UNIT_BUILD)/alone/%.ok: client/include/pgpubsub/%.hpp $(CLIENT_HEADERS)
	@mkdir -p $(@D)
	$(call says,ALONE,$<)$(CXX) -std=c++20 -Wall -Wextra -Werror -Iclient/include -fsyntax-only -x c++ $<
	@! grep -nE '#include <(libpq|postgres|fmt|nlohmann|CLI)' $< || { echo '$<: a private dependency shows' >&2; exit 1; }
	@touch $@

-include $(CLIENT_LIB_OBJS:.o=.d) $(CLIENT_CLI_OBJS:.o=.d) $(CLIENT_UNIT_OBJS:.o=.d)
