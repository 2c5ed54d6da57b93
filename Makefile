# triphase. `make help` lists the targets; `make setup` installs what a build needs.
VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
# A build folder of one's own: make BUILD=build/mine
BUILD ?= build
CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
WERROR ?= 0
SANITIZE ?= 0
FILTER ?=
# Tests at the same time.
CHECK_JOBS ?= 2

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

# ---------------------------------------------------------------- sources
rwildcard = $(sort $(shell find $(1) -name '$(2)' -type f 2>/dev/null))
MAIN_SOURCE := orchestrator/command/main.c
SOURCES := $(filter-out $(MAIN_SOURCE),$(call rwildcard,orchestrator,*.c))
# Folders below these are for what tests use: programs, playbooks, bytes.
LAB_SOURCES := $(sort $(wildcard tests/lab/*.c))
UNIT_SOURCES := $(sort $(wildcard tests/unit/*.c))
SYSTEM_SOURCES := $(sort $(wildcard tests/system/*.c)) $(LAB_SOURCES)
SOAK_SOURCES := $(sort $(wildcard tests/soak/*.c)) $(LAB_SOURCES)
EMBEDDED := $(sort $(shell find triphase.yml phases playbooks inventory-templates projects examples/providers/existing-host/host.sh callback/triphase_events.py launcher/triphase_ask.py launcher/triphase_launch.py launcher/triphase_mitogen.py launcher/triphase_payloads.py host/sweep.sh host/ready.sh host/confirm.sh \
	-type f ! -path '*/__pycache__/*' ! -name '*.retry' ! -name '*.pyc' ! -name '.*' ! -name '*~' 2>/dev/null))

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
MAIN_OBJECT := $(MAIN_SOURCE:%.c=$(BUILD)/%.o)
EMBEDDED_OBJECT := $(BUILD)/embedded.o
PROGRAM := $(BUILD)/triphase
LIBRARY := $(BUILD)/libtriphase.a

# ---------------------------------------------------------------- libraries
LIBRARIES := yaml-0.1 jansson sqlite3 libarchive
# Loaded by the program when it first needs them: of these the headers alone are wanted here.
LOADED := libssh libcurl
MISSING := $(shell for library in $(LIBRARIES) $(LOADED); do $(PKG_CONFIG) --exists $$library 2>/dev/null || echo $$library; done)
LIBRARY_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) $(LOADED) 2>/dev/null)
LIBRARY_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null)
CRITERION_CFLAGS = $(shell $(PKG_CONFIG) --cflags criterion 2>/dev/null)
CRITERION_LIBS = $(shell $(PKG_CONFIG) --libs criterion 2>/dev/null)

# ---------------------------------------------------------------- flags
IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -c clang)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wundef \
	-Wnull-dereference
ifeq ($(IS_CLANG),0)
WARNINGS += -Wlogical-op -Wduplicated-cond -Wimplicit-fallthrough=5
else
WARNINGS += -Wimplicit-fallthrough
endif
ifneq ($(WERROR),0)
WARNINGS += -Werror
endif

HARDENING := -fstack-protector-strong -fPIE
ifeq ($(IS_CLANG),0)
HARDENING += -ftrivial-auto-var-init=zero
endif
ifneq ($(shell uname -m),aarch64)
HARDENING += -fstack-clash-protection -fcf-protection=full
endif
ifneq ($(SANITIZE),0)
# _FORTIFY_SOURCE would hide calls from the sanitizers.
OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
ifeq ($(SANITIZE),fuzz)
OPTIMIZE += -fsanitize=fuzzer-no-link
endif
else
OPTIMIZE := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
CFLAGS ?= $(OPTIMIZE)
LDFLAGS ?=
# What is forced into every file of the program is read once for all of them; clang and ccache have ways of their own.
ifeq ($(IS_CLANG)$(findstring ccache,$(CC)),0)
FORCED := $(BUILD)/banned.h
PRECOMPILED := $(FORCED).gch
else
FORCED := orchestrator/base/banned.h
PRECOMPILED :=
endif
DEFINES := -D_GNU_SOURCE -DTRIPHASE_VERSION='"$(VERSION)"'
BASE_FLAGS = -std=gnu17 $(DEFINES) -Iorchestrator -include $(FORCED) -pthread $(WARNINGS) $(HARDENING) \
	$(CFLAGS) $(CPPFLAGS)
LINK_FLAGS = -pthread -pie -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
LIBS := $(LIBRARY_LIBS) -ldl -lm
TEST_FLAGS = -Itests -DTRIPHASE_TESTS

# V=1 shows the commands.
V ?= 0
ifeq ($(V),0)
show = $(info $(1)	$(2))
RUN := @
else
show =
RUN :=
endif

# ---------------------------------------------------------------- build
.PHONY: all
all: $(PROGRAM)

HASH := \#
# A file that changes only when its text does: what depends on it is made anew when flags or the set of files change.
define keep_text
$(shell mkdir -p $(dir $(1)); printf '%s\n' '$(subst ','\'',$(2))' | cmp -s - $(1) || printf '%s\n' '$(subst ','\'',$(2))' >$(1))
endef
# Goals that build nothing themselves leave the build folder alone.
BUILDS := $(filter-out setup setup-check demo demo-tailnet check tailnet-lab tailnet-lab-remove clean help uninstall format format-check lint layers asan fuzz,$(or $(MAKECMDGOALS),all))
ifneq ($(BUILDS),)
# All folders at once: two programs more for each object are felt.
$(shell mkdir -p $(sort $(dir $(OBJECTS) $(MAIN_OBJECT) $(patsubst %.c,$(BUILD)/%.o,$(UNIT_SOURCES) $(SYSTEM_SOURCES) $(SOAK_SOURCES)))) $(BUILD)/setup)
$(call keep_text,$(BUILD)/banned.h,$(HASH)include "base/banned.h")
$(call keep_text,$(BUILD)/flags,$(CC) $(BASE_FLAGS) $(LINK_FLAGS) $(LIBRARY_CFLAGS) $(LIBS))
$(call keep_text,$(BUILD)/objects,$(OBJECTS))
$(call keep_text,$(BUILD)/embedded.list,$(EMBEDDED))
endif

.PHONY: have-libraries have-criterion
have-libraries:
ifneq ($(MISSING),)
	@command -v $(PKG_CONFIG) >/dev/null || { echo "triphase: $(PKG_CONFIG) is missing: run 'make setup'" >&2; exit 1; }
	@echo "triphase: cannot build without $(MISSING): run 'make setup'" >&2; exit 1
endif
have-criterion:
	@$(PKG_CONFIG) --exists criterion || { echo "triphase: cannot build the tests without criterion: run 'make setup'" >&2; exit 1; }

$(BUILD)/banned.h.gch: $(BUILD)/banned.h orchestrator/base/banned.h $(BUILD)/flags
	$(RUN)$(CC) $(filter-out -include $(FORCED),$(BASE_FLAGS)) -x c-header -o $@ $<

$(BUILD)/orchestrator/%.o: orchestrator/%.c $(BUILD)/flags $(PRECOMPILED) | have-libraries
	$(call show,CC,$<)$(RUN)$(CC) $(BASE_FLAGS) $(LIBRARY_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/embedded.c: setup/embed.sh $(BUILD)/embedded.list $(EMBEDDED)
	$(call show,EMBED,$(words $(EMBEDDED)) files)$(RUN)setup/embed.sh $(EMBEDDED) >$@

$(EMBEDDED_OBJECT): $(BUILD)/embedded.c $(EMBEDDED) $(BUILD)/flags $(PRECOMPILED) | have-libraries
	$(call show,CC,$<)$(RUN)$(CC) $(BASE_FLAGS) -MMD -MP -c -o $@ $<

# Made anew rather than updated: a removed source file leaves no member behind.
$(LIBRARY): $(OBJECTS) $(EMBEDDED_OBJECT) $(BUILD)/objects
	@rm -f $@
	$(call show,AR,$@)$(RUN)$(AR) rcs $@ $(OBJECTS) $(EMBEDDED_OBJECT)

$(PROGRAM): $(MAIN_OBJECT) $(LIBRARY)
	$(call show,LINK,$@)$(RUN)$(CC) $(LINK_FLAGS) -o $@ $^ $(LIBS)

# ---------------------------------------------------------------- tests
$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags | have-libraries have-criterion
	$(call show,CC,$<)$(RUN)$(CC) $(BASE_FLAGS) $(TEST_FLAGS) $(LIBRARY_CFLAGS) $(CRITERION_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/setup/%.o: setup/%.c $(BUILD)/flags | have-libraries have-criterion
	$(call show,CC,$<)$(RUN)$(CC) $(BASE_FLAGS) $(TEST_FLAGS) $(CRITERION_CFLAGS) -MMD -MP -c -o $@ $<

# One program of all the tests of a kind: name, sources.
define test_program
ifneq ($$(BUILDS),)
$$(call keep_text,$(BUILD)/$(1).list,$(2))
endif
$(BUILD)/$(1): $(2:%.c=$(BUILD)/%.o) $(BUILD)/setup/test-defaults.o $(LIBRARY) $(BUILD)/$(1).list
	$$(call show,LINK,$$@)$$(RUN)$$(CC) $$(LINK_FLAGS) -o $$@ $$(filter-out %.list,$$^) $$(CRITERION_LIBS) $$(LIBS)
endef
$(eval $(call test_program,unit,$(UNIT_SOURCES)))
$(eval $(call test_program,system,$(SYSTEM_SOURCES)))
$(eval $(call test_program,soak,$(SOAK_SOURCES)))

# What tests load into the program, to make calls of it fail. Without sanitizers and the program's own flags.
FAILING := $(BUILD)/failing.so
$(FAILING): tests/lab/interpose/failing.c tests/lab/interpose/control.h $(BUILD)/flags
	$(call show,LINK,$@)$(RUN)$(CC) -std=gnu17 -O1 -g -Wall -Wextra -fPIC -shared -o $@ $< -ldl

# What tests/lab/hetzner_api.py makes real hosts with.
GUESTS := $(BUILD)/lab/hetzner_guests
$(GUESTS): tests/lab/hetzner/guests.c $(LIBRARY) $(BUILD)/flags | have-libraries
	@mkdir -p $(@D)
	$(call show,LINK,$@)$(RUN)$(CC) $(BASE_FLAGS) $(TEST_FLAGS) $(LIBRARY_CFLAGS) -o $@ $< $(LIBRARY) $(LINK_FLAGS) $(LIBS)

RUN_TESTS = setup/run-tests.py --jobs $(CHECK_JOBS) $(if $(FILTER),--filter '$(FILTER)')
.PHONY: unit system soak bench asan tests
tests: $(BUILD)/unit $(BUILD)/system $(FAILING) $(GUESTS)
unit: $(BUILD)/unit
	@$(RUN_TESTS) $(BUILD)/unit
system: $(BUILD)/system $(PROGRAM) $(FAILING) $(GUESTS)
	@$(RUN_TESTS) $(BUILD)/system

# The whole suite under the sanitizers, in a build folder of its own.
asan:
	$(MAKE) --no-print-directory BUILD=build/asan SANITIZE=1 all tests
	@export $(SANITIZER_OPTIONS); failed=0; \
	$(RUN_TESTS) build/asan/unit || failed=1; \
	$(RUN_TESTS) --budget 3600 build/asan/system || failed=1; exit $$failed
SANITIZER_OPTIONS := ASAN_OPTIONS=abort_on_error=1:strict_string_checks=1:detect_stack_use_after_return=1 \
	UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1

soak: $(BUILD)/soak $(BUILD)/unit $(BUILD)/system $(PROGRAM) $(FAILING) $(GUESTS)
	@failed=0; \
	setup/run-tests.py --jobs 1 --timeout 7200 --limit 7200 --budget 28800 $(if $(FILTER),--filter '$(FILTER)') $(BUILD)/soak || failed=1; \
	$(if $(FILTER),,setup/run-tests.py --jobs 2 --budget 7200 --only tests/system/soak.txt $(BUILD)/system || failed=1;) \
	$(if $(FILTER),,QUOTED_ROUNDS=10000 setup/run-tests.py --jobs 1 --timeout 7200 --limit 7200 --filter 'redact_quoted/*' $(BUILD)/unit || failed=1;) \
	$(if $(FILTER),,$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=600 || failed=1; $(MAKE) --no-print-directory faults || failed=1; $(MAKE) --no-print-directory demo-tailnet || failed=1; tests/firsthour/firsthour.sh --whole debian-12 debian-13 || failed=1;) exit $$failed

# Each C file of tests/fuzz is a fuzzer, built with libFuzzer in a folder of its own. Its corpus and, where it has one, its dictionary lie in tests/fuzz/corpus.
FUZZ_CC ?= $(firstword $(foreach version,14 19,$(shell command -v clang-$(version))) clang)
FUZZ_SECONDS ?= 20
FUZZ ?= *
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/*.c))
FUZZERS := $(FUZZ_SOURCES:tests/%.c=$(BUILD)/%)
.PHONY: fuzz fuzzers
fuzz:
	@$(MAKE) --no-print-directory -j"$$(nproc)" BUILD=build/fuzzing SANITIZE=fuzz CC='$(FUZZ_CC)' fuzzers
	@setup/fuzz.sh --jobs $(CHECK_JOBS) --seconds $(FUZZ_SECONDS) build/fuzzing/fuzz '$(FUZZ)'
fuzzers: $(FUZZERS)
$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/hold.h $(LIBRARY) $(BUILD)/flags | have-libraries
	@mkdir -p $(@D)
	$(call show,FUZZER,$@)$(RUN)$(CC) $(BASE_FLAGS) $(TEST_FLAGS) $(LIBRARY_CFLAGS) -fsanitize=fuzzer -o $@ $< $(LIBRARY) $(LINK_FLAGS) $(LIBS)

# Faults in the middle of a real run; all of them take half an hour. ONE_OF_EACH=1: one of each class, as make check does; FAULT='a name, or a part of it'.
.PHONY: faults
faults: $(PROGRAM) $(GUESTS)
	@TRIPHASE="$(abspath $(PROGRAM))" PATH="$(CURDIR)/.venv/bin:$$PATH" tests/faults/faults.py $(if $(ONE_OF_EACH),--one-of-each) $(if $(FAULT),'$(FAULT)')

# Each C file of tests/bench is a program of its own for the scripts beside it: $(BUILD)/bench/NAME. The rows they write are those of the unit tests.
BENCH_SOURCES := $(sort $(wildcard tests/bench/*.c))
BENCH_PROGRAMS := $(BENCH_SOURCES:tests/bench/%.c=$(BUILD)/bench/%)
BENCH_SHARED := tests/unit/rows.c
$(BUILD)/bench/%: tests/bench/%.c $(BENCH_SHARED) $(BENCH_SHARED:.c=.h) $(LIBRARY) $(BUILD)/flags | have-libraries
	@mkdir -p $(@D)
	$(call show,BENCH,$@)$(RUN)$(CC) $(BASE_FLAGS) $(TEST_FLAGS) $(LIBRARY_CFLAGS) -o $@ $< $(BENCH_SHARED) $(LIBRARY) $(LINK_FLAGS) $(LIBS)

# Measurements, one after the other: every executable script, in the order of the names.
bench: $(PROGRAM) $(BENCH_PROGRAMS)
	@setup/install.sh bench
	@found=0; missed=0; for script in tests/bench/*.py tests/bench/*.sh; do \
		[ -x "$$script" ] || continue; found=1; \
		BUILD="$(abspath $(BUILD))" TRIPHASE="$(abspath $(PROGRAM))" PATH="$(CURDIR)/.venv/bin:$$PATH" "$$script" || missed=1; \
	done; [ $$found = 1 ] || { echo "bench: no script in tests/bench" >&2; exit 1; }; exit $$missed

# ---------------------------------------------------------------- lint
# Only gcc has this analyzer.
ANALYZER ?= gcc
ANALYZED := $(SOURCES) $(MAIN_SOURCE)
$(BUILD)/analyzer/%.o: %.c | have-libraries
	@mkdir -p $(@D)
	$(call show,ANALYZE,$<)$(RUN)$(ANALYZER) $(BASE_FLAGS) $(LIBRARY_CFLAGS) -fanalyzer -Werror -MMD -MP -c -o $@ $<

FORMATTED = $(shell find orchestrator tests setup -name '*.[ch]' -type f | sort)
CLANG_FORMAT ?= $(if $(wildcard .venv-lint/bin/clang-format),.venv-lint/bin/clang-format,clang-format)
.PHONY: lint analyze format format-check layers docs
lint:
	@setup/lint.sh
layers:
	@setup/check-layers.sh
docs:
	@setup/check-docs.sh
analyze: $(ANALYZED:%.c=$(BUILD)/analyzer/%.o)
format:
	$(CLANG_FORMAT) -i $(FORMATTED)
format-check:
	@wrong=0; for file in $(FORMATTED); do \
		$(CLANG_FORMAT) "$$file" | cmp -s - "$$file" || { echo "$$file: not as 'make format' leaves it"; wrong=1; }; \
	done; exit $$wrong

# ---------------------------------------------------------------- set-up
.PHONY: setup setup-check demo check tailnet-lab tailnet-lab-remove
setup:
	@setup/install.sh demo
setup-check:
	@setup/install.sh check
demo:
	+@setup/demo.sh
demo-tailnet:
	+@setup/demo-tailnet.sh
# What the tests of the tailnet run; kept outside the build folder.
tailnet-lab:
	@setup/tailnet-lab.sh
tailnet-lab-remove:
	@setup/tailnet-lab.sh --remove
check:
	+@CHECK_JOBS=$(CHECK_JOBS) setup/check.sh

# ---------------------------------------------------------------- install
MAN_DIR = $(DESTDIR)$(PREFIX)/share/man
PAGES1 := $(wildcard docs/*.1)
PAGES5 := $(wildcard docs/*.5)
PAGES7 := $(wildcard docs/*.7)
SHARE_DIR = $(DESTDIR)$(PREFIX)/share/triphase
EXAMPLES := $(sort $(shell find examples -type f))
.PHONY: install uninstall clean help
install: $(PROGRAM)
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/triphase
	$(if $(PAGES1),install -d $(MAN_DIR)/man1 && install -m 0644 $(PAGES1) $(MAN_DIR)/man1)
	$(if $(PAGES5),install -d $(MAN_DIR)/man5 && install -m 0644 $(PAGES5) $(MAN_DIR)/man5)
	$(if $(PAGES7),install -d $(MAN_DIR)/man7 && install -m 0644 $(PAGES7) $(MAN_DIR)/man7)
	install -D -m 0644 docs/provider.schema.json $(SHARE_DIR)/provider.schema.json
	@for file in $(EXAMPLES); do mode=0644; [ ! -x $$file ] || mode=0755; install -D -m $$mode $$file $(SHARE_DIR)/$$file || exit 1; done

# What was laid in /var goes too, unless a sandbox is alive or cannot be judged. A staged tree (DESTDIR) has nothing of it.
uninstall:
ifeq ($(DESTDIR),)
	@program=$(PREFIX)/bin/triphase; [ -x "$$program" ] || program=$(PROGRAM); \
	if [ -x "$$program" ]; then "$$program" forget --everything --this-machine --yes; \
	elif [ -e /var/lib/triphase ] || [ -e /var/cache/triphase ]; then \
		echo "triphase: no program is here to judge the sandboxes in /var/lib/triphase: build it first ('make')" >&2; exit 1; fi
endif
	rm -f $(DESTDIR)$(PREFIX)/bin/triphase \
		$(PAGES1:docs/%=$(MAN_DIR)/man1/%) $(PAGES5:docs/%=$(MAN_DIR)/man5/%) $(PAGES7:docs/%=$(MAN_DIR)/man7/%)
	rm -rf $(SHARE_DIR)

clean:
	rm -rf $(BUILD)

help:
	@echo "make            build/triphase (WERROR=1: warnings fatal, BUILD=DIR: another build folder, CC=clang)"
	@echo "make demo       installs what is needed, makes and converges a sandbox host, prints the report (YES=1: unasked)"
	@echo "make demo-tailnet  a tailnet in namespaces: a host converged over it with and without a TUN, a broken path diagnosed (YES=1)"
	@echo "make check      installs, builds, checks layers, lints, runs all tests (CHECK_JOBS=N)"
	@echo "make setup      installs what demo needs;  make setup-check  what check needs"
	@echo "make unit       unit tests                 (FILTER='suite/test' with * and ?)"
	@echo "make system     tests of the program from outside, as root"
	@echo "make asan       the whole suite under AddressSanitizer and UBSan"
	@echo "make fuzz       the fuzzers                (FUZZ_SECONDS=20 each, FUZZ='name', FUZZ_KEEP=1: adds to the corpus)"
	@echo "make faults     faults in the middle of real runs (ONE_OF_EACH=1, FAULT='a name, or a part of names')"
	@echo "make soak       what takes longer;  make bench  the measurements"
	@echo "make tailnet-lab         builds headscale and tailscaled for the tests;  make tailnet-lab-remove  removes them"
	@echo "make lint       analyzer, clang-format, shellcheck, yamllint, ansible-lint, mandoc;  make layers  the layer order"
	@echo "make docs       that the tests and documents that documents and comments name are there"
	@echo "make format     clang-format over all C files;  make format-check  only looks"
	@echo "make install    PREFIX=/usr/local DESTDIR=;  make uninstall"
	@echo "make clean      removes the build folder"

-include $(OBJECTS:.o=.d) $(MAIN_OBJECT:.o=.d) $(EMBEDDED_OBJECT:.o=.d) $(BUILD)/setup/test-defaults.d
-include $(patsubst %.c,$(BUILD)/%.d,$(UNIT_SOURCES) $(SYSTEM_SOURCES) $(SOAK_SOURCES))
-include $(ANALYZED:%.c=$(BUILD)/analyzer/%.d)
