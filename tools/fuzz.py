#!/usr/bin/env python3
"""fuzz.py - runs every fuzz target for a while, beginning with its corpus.

What a target finds new goes to BUILD/fuzz/found/TARGET, a crash to BUILD/fuzz/crash-*.
"""
import argparse
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
OPTIONS = ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
           "-Doptimization=1"]


def run_target(folder, exe, seconds):
    name = exe.name.removeprefix("fuzz_")
    found = folder / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    command = [str(exe), f"-max_total_time={seconds}", "-print_final_stats=1", "-verbosity=0",
               f"-artifact_prefix={folder}/crash-{name}-", str(found)]
    corpus = TOP / "fuzz/corpus" / name
    words = TOP / "fuzz" / f"{name}.dict"
    command += [str(corpus)] if corpus.is_dir() else []
    command += [f"-dict={words}"] if words.exists() else []
    print("+", name, flush=True)
    return subprocess.run(command, check=False).returncode == 0


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    options.add_argument("--seconds", type=int, default=60)
    options = options.parse_args()
    folder = (TOP / options.build / "fuzz").resolve()
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(folder), *OPTIONS], cwd=TOP, check=True,
                       env={**os.environ, "CC": "clang"})
    subprocess.run(["ninja", "-C", str(folder)], check=True)
    targets = sorted(p for p in (folder / "fuzz").glob("fuzz_*") if p.is_file())
    bad = [t.name for t in targets if not run_target(folder, t, options.seconds)]
    print(f"{len(targets) - len(bad)} targets found nothing", *bad, sep="\nFOUND ")
    return 1 if bad or not targets else 0


sys.exit(main())
