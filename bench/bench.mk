# The programs that the benchmarks run, in build/bench/programs. Included by the Makefile at the top.

BENCH_BUILD   := build/bench/programs
BENCH_HIREDIS := $(shell pkg-config --exists hiredis 2>/dev/null && echo hiredis)
BENCH_CFLAGS  := -O2 -g -Wall -Wextra -Wshadow $(if $(WERROR),-Werror)
BENCH_LIBS     = $(shell pkg-config --libs libpq $(BENCH_HIREDIS) 2>/dev/null)
BENCH_COMPILE  = $(CXX) -std=c++20 -pthread $(BENCH_CFLAGS) $(if $(BENCH_HIREDIS),-DWITH_REDIS) \
                 $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpq $(BENCH_HIREDIS) 2>/dev/null)) -MMD -MP

.PHONY: bench-programs
bench-programs: $(addprefix $(BENCH_BUILD)/,hold listen consume latency slow_fsync.so)

# Whether there is hiredis changes what is compiled.
$(BENCH_BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(BENCH_HIREDIS)' | cmp -s - $@ || echo '$(BENCH_HIREDIS)' > $@

$(BENCH_BUILD)/%.o: bench/programs/%.cpp bench/bench.mk $(BENCH_BUILD)/flags
	$(call says,CXX,$<)$(BENCH_COMPILE) -c -o $@ $<

$(BENCH_BUILD)/hold: $(BENCH_BUILD)/hold.o
$(BENCH_BUILD)/listen: $(BENCH_BUILD)/listen.o
$(BENCH_BUILD)/consume: $(BENCH_BUILD)/consume.o $(BENCH_BUILD)/sources.o
$(BENCH_BUILD)/latency: $(BENCH_BUILD)/latency.o $(BENCH_BUILD)/sources.o
$(addprefix $(BENCH_BUILD)/,hold listen consume latency):
	$(call says,LD,$@)$(CXX) -pthread -o $@ $^ $(BENCH_LIBS)

$(BENCH_BUILD)/slow_fsync.so: bench/programs/slow_fsync.c bench/bench.mk
	@mkdir -p $(@D)
	$(call says,CC,$<)$(CC) $(BENCH_CFLAGS) -shared -fPIC -o $@ $< -ldl

-include $(wildcard $(BENCH_BUILD)/*.d)
