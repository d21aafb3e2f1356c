# SPDX-License-Identifier: GPL-2.0-only
#
# Targets: see `make help`. Products lie in $(BUILD) alone.
#
#   V=1                     show the commands
#   CC=clang, CC=gcc        compiler of the program
#   CLANG=clang-14          compiler of the iterators (clang >= 14)
#   ARCH=aarch64 SYSROOT=DIR  build for another machine, whose root file system lies in DIR
#   SAN=address,undefined   build with sanitizers (SAN=thread as well)
#   PREFIX=/usr DESTDIR=    where `make install` puts things
#   BUILD=build             where products go
#   SECONDS=60              for how long `make fuzz` runs each target
#   MINUTES=10              for how long `make soak` runs
#   KERNELS="6.1 sid"       which kernels `make check-vm` boots, of those in tests/vm/run

VERSION := 0.1.0
PREFIX ?= /usr
SBINDIR ?= /sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
BUILD ?= build
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
PKG_CONFIG ?= pkg-config
SAN ?=

ifeq ($(V),1)
Q :=
say := @true
else
Q := @
say = @printf '  %-7s %s\n'
endif

# Headers and libraries of the machine that runs kview, where that is another one.
ARCH ?= $(shell uname -m)
SYSROOT ?=
ifneq ($(SYSROOT),)
CC := $(ARCH)-linux-gnu-gcc --sysroot=$(SYSROOT) -L$(SYSROOT)/usr/lib/$(ARCH)-linux-gnu
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
	PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(ARCH)-linux-gnu/pkgconfig $(PKG_CONFIG)
endif
ifeq ($(origin CC),default)
CC := gcc
endif

# --- flags ---------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wvla -Wundef -Wformat=2
LIBS := libbpf libelf fuse3 libseccomp mount
OPT ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(OPT) $(WARN) -fno-strict-aliasing -fstack-protector-strong -D_GNU_SOURCE \
	-DKVIEW_VERSION='"$(VERSION)"' -I. -Isrc -Iiters/include -pthread $(CFLAGS)
ALL_LDFLAGS := -pthread -Wl,-z,relro,-z,now $(LDFLAGS)
ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
# Asked only when something is built: `make help` works without the libraries.
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(LIBS))
# pthread_cancel(), by which libfuse ends its threads, opens libgcc_s, and the worker's filter
# lets it open no library.
PKG_LIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -Wl,--push-state,--no-as-needed -lgcc_s -Wl,--pop-state

# Headers of the BPF side: libbpf's, and the kernel's user headers, whose asm/
# lies in a directory of the machine's own under Debian.
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(patsubst ppc64le,powerpc,$(ARCH))))
BPF_CFLAGS = -g -O2 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wpadded -Werror \
	-Wno-unused-parameter -ffile-prefix-map=$(CURDIR)=. -idirafter $(SYSROOT)/usr/include/$(ARCH)-linux-gnu -Iiters/include/kview -Iiters/lib -I$(BUILD)/iters

# --- sources -------------------------------------------------------------

LIB_SRC := $(wildcard src/base/*.c src/schema/*.c src/render/*.c src/load/*.c src/access/*.c src/stream/*.c)
FUSE_SRC := $(wildcard fuse/*/*.c)
CLI_SRC := $(wildcard src/cli/*.c)
ITERS := $(wildcard iters/*.bpf.c iters/identity/*.bpf.c)

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
FUSE_OBJ := $(FUSE_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
BPF_OBJ := $(ITERS:%.c=$(BUILD)/%.o)
COLLECT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(shell grep -lE '^KV_VIEW_OF_(MAP|PROCESS_ROWS)' $(ITERS)))
EMBED_OBJ := $(BUILD)/embed.o

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo check check-unit check-cases check-vm check-trixie check-san check-compilers check-fuzz \
	fuzz fuzz-tools soak check-soak case-tools bench lint format install uninstall clean help FORCE

##all: build build/kview
all: $(BUILD)/kview

# Objects are made anew when the flags change, wherever they lie.
FLAGS = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(CLANG) $(subst $(CURDIR),,$(BPF_CFLAGS)) $(PKG_CONFIG)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c $< -o $@

# Collectors ask for the result of an atomic addition, which the first instruction set lacks.
$(COLLECT_OBJ): private BPF_CFLAGS += -mcpu=v3
$(COLLECT_OBJ): $(BUILD)/iters/numbers.h

$(BUILD)/iters/numbers.h: iters/numbers.sh $(BUILD)/flags
	$(say) NAMES $@
	@mkdir -p $(@D)
	$(Q)sh iters/numbers.sh '$(CC)' > $@

$(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/flags
	$(say) BPF $<
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@

# Every object as bytes, with a table of them.
$(BUILD)/embed.S: $(BPF_OBJ) iters/embed.sh
	$(say) EMBED $@
	$(Q)sh iters/embed.sh $(BUILD)/iters $(BPF_OBJ) > $@

$(EMBED_OBJ): $(BUILD)/embed.S
	$(Q)$(CC) -c $< -o $@

$(BUILD)/kview: $(CLI_OBJ) $(FUSE_OBJ) $(LIB_OBJ) $(EMBED_OBJ)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(PKG_LIBS) -o $@


# --- tests ---------------------------------------------------------------

UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
# Helper programs of the cases, benchmarks and the soak: one source each.
TOOL_SRC := $(wildcard tests/cases/*.c tests/bench/*.c tests/soak/*.c)
TOOL_BIN := $(TOOL_SRC:%.c=$(BUILD)/%)
TEST_ITERS := $(wildcard tests/cases/iters/*.bpf.c)
TEST_ITER_OBJ := $(TEST_ITERS:%.c=$(BUILD)/%.o)
CASES ?= $(wildcard tests/cases/*.bats)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(FUSE_OBJ) $(LIB_OBJ) $(BUILD)/src/cli/args.o $(EMBED_OBJ)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(PKG_LIBS) $(shell $(PKG_CONFIG) --libs cmocka) -o $@

$(TOOL_BIN): $(BUILD)/%: $(BUILD)/%.o $(LIB_OBJ) $(EMBED_OBJ)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(PKG_LIBS) -o $@

##check: install what is missing, build, run all tests and lint (root)
check: deps
	$(Q)$(MAKE) --no-print-directory -j "$$(nproc)" all case-tools
	$(Q)BUILD=$(BUILD) tests/scripts/check $(MAKE)

##check-unit: unit tests only (no root)
check-unit: $(UNIT_BIN)
	$(Q)BUILD=$(BUILD) tests/scripts/suite unit $(UNIT_BIN)

##check-cases: end-to-end tests only (root); CASES=tests/cases/x.bats for one
check-cases: $(BUILD)/kview case-tools
	$(Q)BUILD=$(BUILD) tests/scripts/suite cases $(CASES)

##case-tools: the helper programs of the cases, unless those of another build are used
case-tools: $(if $(KVIEW_TEST_TOOLS),,$(TOOL_BIN) $(TEST_ITER_OBJ))

##check-vm: the tests on other kernels, under qemu (root)
check-vm: $(BUILD)/kview $(TOOL_BIN)
	$(Q)BUILD=$(BUILD) SUITE_TIMEOUT=3600 tests/scripts/suite vm tests/vm/run

# What the sanitizers' builds go through: all units, and cases that use every
# part of the server. Reports go to files, since the daemon has no stderr.
SAN_CASES := tests/cases/formats.bats tests/cases/reading.bats tests/cases/mount.bats \
	tests/cases/readers100.bats tests/cases/handover.bats
# Those in which threads meet.
SAN_THREAD_UNITS := $(patsubst %,tests/unit/%_test.c,run_prefetch file handles log sched)
SAN_THREAD_CASES := tests/cases/reading.bats tests/cases/readers100.bats tests/cases/handover.bats
SAN_MAKE = KVIEW_TEST_TOOLS=$(abspath $(BUILD))/tests/cases $(MAKE) --no-print-directory
export ASAN_OPTIONS := log_path=$(abspath $(BUILD))/san-report:detect_leaks=1
export TSAN_OPTIONS := log_path=$(abspath $(BUILD))/san-report
export UBSAN_OPTIONS := print_stacktrace=1

##check-trixie: with the compilers and libraries of Debian 13, in a root of its own (root)
check-trixie:
	$(Q)BUILD=$(BUILD) tests/scripts/suite trixie tests/scripts/trixie

##check-san: sanitizer builds: unit tests and one end-to-end pass (root)
check-san: case-tools
	$(Q)rm -f $(BUILD)/san-report*
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SAN=address,undefined check-unit
	$(Q)$(SAN_MAKE) BUILD=$(BUILD)/asan SAN=address,undefined CASES="$(SAN_CASES)" check-cases
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SAN=thread \
		UNIT_SRC="$(SAN_THREAD_UNITS)" check-unit
	$(Q)$(SAN_MAKE) BUILD=$(BUILD)/tsan SAN=thread CASES="$(SAN_THREAD_CASES)" check-cases
	$(Q)! cat $(BUILD)/san-report* 2>/dev/null

##check-compilers: build with clang too, and its unit tests
check-compilers:
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang all check-unit

# Programs that libFuzzer feeds, with the program's own objects built for it.
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(BUILD)/%)
FUZZ_MAKE = $(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(CLANG) \
	SAN=fuzzer-no-link,address,undefined fuzz-tools
SECONDS ?= 60
FUZZ_SECONDS ?= 60

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUSE_OBJ) $(LIB_OBJ) $(BUILD)/src/cli/args.o $(EMBED_OBJ)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $^ $(PKG_LIBS) $(shell $(PKG_CONFIG) --libs cmocka) -o $@

##fuzz-tools: the programs of fuzz and check-fuzz
fuzz-tools: $(FUZZ_BIN)

##fuzz: feed it made-up requests, records, BTF and options, SECONDS=60 each
fuzz:
	$(Q)$(FUZZ_MAKE)
	$(Q)BUILD=$(BUILD)/fuzz tests/fuzz/run $(SECONDS)

##check-fuzz: the same as a test, FUZZ_SECONDS=60 each
check-fuzz:
	$(Q)$(FUZZ_MAKE)
	$(Q)BUILD=$(BUILD)/fuzz tests/scripts/suite fuzz tests/fuzz/run $(FUZZ_SECONDS)

MINUTES ?= 10
CHECK_MINUTES := 2
SOAK = BUILD=$(BUILD) SUITE_TIMEOUT=$$(($(1) * 60 + 300)) tests/scripts/suite soak tests/soak/run $(1)

##soak: mounts that many readers read in all ways while workers are killed, MINUTES=10 (root)
soak: $(BUILD)/kview $(TOOL_BIN)
	$(Q)$(call SOAK,$(MINUTES))

##check-soak: the same as a test, two minutes (root)
check-soak: $(BUILD)/kview $(TOOL_BIN)
	$(Q)$(call SOAK,$(CHECK_MINUTES))

##bench: measure against ps, lsof, ss, bpftool, /proc and others (root); ONLY="tcp unix" picks
bench: $(BUILD)/kview $(TOOL_BIN)
	$(Q)BUILD=$(BUILD) tests/bench/bench

##lint: formatting, static analysis, includes, man pages
lint: $(BUILD)/kview
	$(Q)BUILD=$(BUILD) tests/scripts/suite lint tests/scripts/lint

C_FILES := $(wildcard src/*/*.[ch] fuse/*/*.[ch] iters/*.c iters/*/*.[ch] iters/include/kview/*.h tests/*/*.[ch] tests/cases/iters/*.c)
##format: bring the sources into shape
format:
	$(Q)clang-format -i $(C_FILES)

# --- what a newcomer runs ------------------------------------------------

##deps: install what is missing, through the system's package manager (root)
deps:
	$(Q)tests/scripts/deps

##demo: install what is missing, build, mount at /mnt/kview, show every view (root)
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tests/scripts/demo

MANS := man/kview.1 man/kview.8 man/kview-iters.7
HEADERS := $(wildcard iters/include/kview/*.h)

##install: into $(DESTDIR)$(PREFIX), and the helper by which mount(8) and fstab find kview
install: all
	install -D -m 755 $(BUILD)/kview $(DESTDIR)$(PREFIX)/bin/kview
	install -d $(DESTDIR)$(SBINDIR)
	ln -sf $(PREFIX)/bin/kview $(DESTDIR)$(SBINDIR)/mount.fuse.kview
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 man/kview.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man7 man/kview-iters.7
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 man/kview.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/kview $(HEADERS)
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@BINDIR@|$(PREFIX)/bin|' fuse/daemon/kview.service.in > $(DESTDIR)$(UNITDIR)/kview.service
	chmod 644 $(DESTDIR)$(UNITDIR)/kview.service

##uninstall: remove what install put there
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/kview $(DESTDIR)$(SBINDIR)/mount.fuse.kview
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/kview.1
	rm -f $(DESTDIR)$(PREFIX)/share/man/man7/kview-iters.7
	rm -f $(DESTDIR)$(PREFIX)/share/man/man8/kview.8
	rm -f $(DESTDIR)$(UNITDIR)/kview.service
	rm -f $(HEADERS:iters/%=$(DESTDIR)$(PREFIX)/%)
	-rmdir $(DESTDIR)$(PREFIX)/include/kview

##clean: remove build/
clean:
	rm -rf $(BUILD)

help:
	@echo 'kview $(VERSION). Targets:'
	@sed -n 's/^##\([a-z-]*\): \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-15s %s\n", $$1, $$2}'
	@sed -n '4,/^$$/s/^#   /  /p' $(firstword $(MAKEFILE_LIST))

-include $(shell test -d $(BUILD) && find $(BUILD) \( -path $(BUILD)/vm -o -path $(BUILD)/trixie \) -prune -o -name "*.d" -print)
