# Makefile - the few commands of this project; the building itself is meson's.
#
#   make            build, in build/
#   make run        build, start the daemon below build/run, send it samples, keep serving
#   make check      all tests; the last line is "N passed, N failed"
#   make bench      measure                     make fuzz      FUZZ_SECONDS a target
#   make deb        a Debian package            make install   as meson does (DESTDIR)
#
# Debian packages that are missing are installed first (packages.txt).

PYTHON       ?= /usr/bin/python3
BUILD        ?= build
FUZZ_SECONDS ?= 60
PORT         ?= 10024

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	tools/install-packages build
	meson setup $(BUILD)

run: all
	$(PYTHON) tools/run-samples.py --build $(BUILD) --port $(PORT)

check:
	tools/install-packages build check
	$(PYTHON) tools/check.py --build $(BUILD)

bench: all
	$(PYTHON) bench/run.py --build $(BUILD)

fuzz:
	tools/install-packages build
	$(PYTHON) tools/fuzz.py --build $(BUILD) --seconds $(FUZZ_SECONDS)

# In a copy, so that the tree stays clean and the package lands in $(BUILD)/deb.
deb:
	tools/install-packages build deb
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/source
	git ls-files -z --cached --others --exclude-standard | \
		xargs -0 cp --parents -t $(BUILD)/deb/source
	cd $(BUILD)/deb/source && dpkg-buildpackage --no-sign --build=binary
	@ls $(BUILD)/deb/*.deb

install: all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD)

.PHONY: all run check bench fuzz deb install clean
