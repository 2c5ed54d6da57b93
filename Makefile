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

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

# ---------------------------------------------------------------- sources
rwildcard = $(sort $(shell find $(1) -name '$(2)' -type f 2>/dev/null))
MAIN_SOURCE := orchestrator/command/main.c
SOURCES := $(filter-out $(MAIN_SOURCE),$(call rwildcard,orchestrator,*.c))
UNIT_SOURCES := $(call rwildcard,tests/unit,*.c)
SYSTEM_SOURCES := $(call rwildcard,tests/system tests/lab,*.c)
SOAK_SOURCES := $(call rwildcard,tests/soak,*.c)
EMBEDDED := $(sort $(shell find triphase.yml phases playbooks inventory-templates callback/triphase_events.py \
	-type f ! -path '*/__pycache__/*' ! -name '*.retry' ! -name '*.pyc' ! -name '.*' ! -name '*~' 2>/dev/null))

OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
MAIN_OBJECT := $(MAIN_SOURCE:%.c=$(BUILD)/%.o)
EMBEDDED_OBJECT := $(BUILD)/embedded.o
PROGRAM := $(BUILD)/triphase
LIBRARY := $(BUILD)/libtriphase.a

# ---------------------------------------------------------------- libraries
LIBRARIES := yaml-0.1 jansson sqlite3
MISSING := $(shell for library in $(LIBRARIES); do $(PKG_CONFIG) --exists $$library 2>/dev/null || echo $$library; done)
LIBRARY_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null)
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
else
OPTIMIZE := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
CFLAGS ?= $(OPTIMIZE)
LDFLAGS ?=
DEFINES := -D_GNU_SOURCE -DTRIPHASE_VERSION='"$(VERSION)"'
BASE_FLAGS = -std=gnu17 $(DEFINES) -Iorchestrator -include orchestrator/base/banned.h -pthread $(WARNINGS) $(HARDENING) \
	$(CFLAGS) $(CPPFLAGS)
LINK_FLAGS = -pthread -pie -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
LIBS := $(LIBRARY_LIBS)
TEST_FLAGS = -Itests -DTRIPHASE_TESTS

# ---------------------------------------------------------------- build
.PHONY: all
all: $(PROGRAM)

# A file that changes only when its text does: what depends on it is made anew when flags or the set of files change.
define keep_text
$(shell mkdir -p $(dir $(1)); printf '%s\n' '$(subst ','\'',$(2))' | cmp -s - $(1) || printf '%s\n' '$(subst ','\'',$(2))' >$(1))
endef
BUILDS := $(filter-out setup demo check clean help install-packages uninstall format format-check lint bench asan,$(or $(MAKECMDGOALS),all))
ifneq ($(BUILDS),)
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

$(BUILD)/orchestrator/%.o: orchestrator/%.c $(BUILD)/flags | have-libraries
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) $(LIBRARY_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/embedded.c: setup/embed.sh $(BUILD)/embedded.list $(EMBEDDED)
	@mkdir -p $(@D)
	setup/embed.sh $(EMBEDDED) >$@

$(EMBEDDED_OBJECT): $(BUILD)/embedded.c $(EMBEDDED) $(BUILD)/flags | have-libraries
	$(CC) $(BASE_FLAGS) -MMD -MP -c -o $@ $<

# Made anew rather than updated: a removed source file leaves no member behind.
$(LIBRARY): $(OBJECTS) $(EMBEDDED_OBJECT) $(BUILD)/objects
	@rm -f $@
	$(AR) rcs $@ $(OBJECTS) $(EMBEDDED_OBJECT)

$(PROGRAM): $(MAIN_OBJECT) $(LIBRARY)
	$(CC) $(LINK_FLAGS) -o $@ $^ $(LIBS)

# ---------------------------------------------------------------- tests
$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags | have-libraries have-criterion
	@mkdir -p $(@D)
	$(CC) $(BASE_FLAGS) $(TEST_FLAGS) $(LIBRARY_CFLAGS) $(CRITERION_CFLAGS) -MMD -MP -c -o $@ $<

define test_binary
$(call keep_text,$(BUILD)/$(1).list,$(2))
$(BUILD)/$(1): $(2:%.c=$(BUILD)/%.o) $(LIBRARY) $(BUILD)/$(1).list
	$$(CC) $$(LINK_FLAGS) -o $$@ $$(filter-out %.list,$$^) $$(CRITERION_LIBS) $$(LIBS)
endef
$(eval $(call test_binary,unit,$(UNIT_SOURCES)))
$(eval $(call test_binary,system,$(SYSTEM_SOURCES)))
$(eval $(call test_binary,soak,$(SOAK_SOURCES)))

.PHONY: unit system
unit: $(BUILD)/unit
	$(BUILD)/unit

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d) $(MAIN_OBJECT:.o=.d) $(EMBEDDED_OBJECT:.o=.d)
-include $(patsubst %.c,$(BUILD)/%.d,$(UNIT_SOURCES) $(SYSTEM_SOURCES) $(SOAK_SOURCES))
