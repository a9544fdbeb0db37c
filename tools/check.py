#!/usr/bin/env python3
"""check.py - all tests of the project; its last line is "N passed, N failed".

Four steps: unit tests and the replay of the fuzz corpora; both once more under the
sanitizers; the system tests with real servers; the samples of `make run`.  A step that
fails, or cannot even be built, does not keep the others from running.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

TOP = pathlib.Path(__file__).resolve().parent.parent
SANITIZERS = ["-Db_sanitize=address,undefined", "-Doptimization=1"]


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.bad = []

    def fail(self, name):
        self.failed += 1
        self.bad.append(name)

    def junit(self, step, path):
        """Adds the cases of a JUnit file; a step without one has failed."""
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
        except (OSError, ElementTree.ParseError):
            self.fail(f"{step}: no results in {path}")
            return
        for case in cases:
            name = f"{step}: {case.get('classname') or ''} {case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                self.fail(name)
            elif case.find("skipped") is not None:
                self.skipped += 1
            else:
                self.passed += 1
        if not cases:
            self.fail(f"{step}: it ran no test")


def call(command, **environment):
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=TOP, env={**os.environ, **environment},
                          check=False).returncode


def built(tally, step, folder, options):
    if not (folder / "build.ninja").exists():
        if call(["meson", "setup", str(folder), *options]) != 0:
            tally.fail(f"{step}: meson setup")
            return False
    if call(["ninja", "-C", str(folder)]) != 0:
        tally.fail(f"{step}: build")
        return False
    return True


def meson_tests(tally, step, folder, options=()):
    results = folder / "meson-logs/testlog.junit.xml"
    results.unlink(missing_ok=True)
    if not built(tally, step, folder, options):
        return
    status = call(["meson", "test", "-C", str(folder), "--no-rebuild", "--print-errorlogs",
                   "--quiet"], ASAN_OPTIONS="detect_leaks=1",
                  UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
    before = tally.failed
    tally.junit(step, results)
    if status != 0 and tally.failed == before:
        tally.fail(f"{step}: meson test ended with status {status}")


def system_tests(tally, build):
    if call(["tools/fetch-servers", str(build / "servers")]) != 0:
        print("check: without those servers, tests that need them are skipped")
    results = build / "system.xml"
    results.unlink(missing_ok=True)
    call([sys.executable, "-m", "pytest", "-q", "tests/system", f"--junitxml={results}",
          "-p", "no:cacheprovider"], SALLYPORT_BUILD=str(build))
    tally.junit("system", results)


def samples(tally, build):
    results = build / "samples.xml"
    results.unlink(missing_ok=True)
    call([sys.executable, "tools/run-samples.py", "--build", str(build), "--end", "--private",
          "--junit", str(results)])
    tally.junit("samples", results)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    build = (TOP / options.parse_args().build).resolve()
    tally, start = Tally(), time.monotonic()
    meson_tests(tally, "unit", build)
    meson_tests(tally, "sanitizers", build / "sanitizers", SANITIZERS)
    system_tests(tally, build)
    samples(tally, build)
    for name in tally.bad:
        print("FAILED", name)
    print(f"{tally.skipped} skipped, {time.monotonic() - start:.0f} s")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


sys.exit(main())
