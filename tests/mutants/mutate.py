#!/usr/bin/env python3
"""Changes one token of the product at a time and asks the tests whether they notice.

  python3 tests/mutants/mutate.py --build build                    about 200 mutants
  python3 tests/mutants/mutate.py --build build --sample 40 --seconds 80 --figures FILE
  python3 tests/mutants/mutate.py --build build --all kernels-gen/affine.h
  python3 tests/mutants/mutate.py --list kernels-gen/affine.h

README.md of this folder explains the verdicts.
"""
import argparse
import concurrent.futures
import hashlib
import itertools
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import killing
import mutation

ROOT = Path(__file__).resolve().parents[2]
SCAN, DECODE, COMPARE = "check_scan_given", "check_decode", "check_compare_arrays"
FORWARD, BACKWARD = "check_forward", "check_backward"
NEWTON, GUESS, PASSES = "check_newton", "check_guess", "check_passes"
STRUCTURE = ["check_pattern", "check_components", "check_depend", "check_structure"]
# What is mutated, and the tests that are asked, the quick ones first.
TARGETS = {
    "kernels-gen/affine.h": [SCAN, GUESS, PASSES, BACKWARD, FORWARD, NEWTON],
    "kernels-gen/scan_given.h": [SCAN],
    "kernels-gen/scan.h": [SCAN, BACKWARD, FORWARD, NEWTON],
    "kernels-gen/place.h": [COMPARE, SCAN, DECODE, BACKWARD, FORWARD],
    "kernels-gen/decode.h": [DECODE],
    "kernels-gen/ring.h": [BACKWARD, FORWARD],
    "kernels-gen/rows_out.h": [BACKWARD, FORWARD],
    "kernels-gen/chunk.h": [GUESS, PASSES, FORWARD, NEWTON],
    "kernels-gen/chunk_inputs.h": [GUESS, PASSES, FORWARD, NEWTON],
    "kernels-gen/chunk_record.h": [FORWARD, NEWTON],
    "kernels-gen/chunk_run.h": [GUESS, PASSES, FORWARD, NEWTON],
    "kernels-gen/chunk_tangent.h": [FORWARD, NEWTON],
    "kernels-gen/lane.h": [GUESS, PASSES, FORWARD],
    "kernels-gen/lane_rows.h": [GUESS, PASSES, FORWARD],
    "kernels-gen/lanes_run.h": [GUESS, PASSES, FORWARD],
    "kernels-gen/tile.h": [GUESS, PASSES, FORWARD, NEWTON],
    "kernels-gen/tile_guess.h": [GUESS, PASSES, FORWARD],
    "kernels-gen/tile_newton.h": [FORWARD, NEWTON],
    "kernels-gen/witness.h": [GUESS, PASSES, FORWARD, NEWTON],
    "kernels-gen/block_report.h": [FORWARD],
    "kernels-gen/forward.h": [GUESS, PASSES, FORWARD, NEWTON],
    "kernels-gen/shared_inputs.h": [BACKWARD],
    "kernels-gen/backward_run.h": [BACKWARD],
    "kernels-gen/backward_sums.h": [BACKWARD],
    "kernels-gen/backward.h": [BACKWARD],
    "kernels-gen/backward_long.h": [BACKWARD],
    "kernels-gen/reduce_partials.h": [BACKWARD],
    "compiler/ir/ops.def": ["check_derivatives", "check_ir_eval", "check_fold"],
    "compiler/analysis/structure.c": STRUCTURE,
    "compiler/analysis/depend.c": STRUCTURE,
    "compiler/analysis/components.c": STRUCTURE,
    "compiler/analysis/pattern.c": STRUCTURE,
}


def read_equivalent(path):
    """name -> reason, of the mutants that mean the same as the original."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.rpartition(" | ")
            if not name or not reason.strip():
                sys.exit(f"{path}: no reason in '{line}'")
            found[name] = reason
    return found


def order_of(mutants, seed):
    """Every file in turn, within a file by a hash of the name: an edit elsewhere changes nothing."""
    by_file = {}
    for mutant in mutants:
        by_file.setdefault(mutant.path, []).append(mutant)
    for group in by_file.values():
        group.sort(key=lambda m: hashlib.sha256(f"{seed} {m.name}".encode()).digest())
    rounds = itertools.zip_longest(*by_file.values())
    return [mutant for group in rounds for mutant in group if mutant]


class Run:
    def __init__(self, shop, arguments, work):
        self.shop, self.arguments, self.work = shop, arguments, work
        self.begin = time.monotonic()
        self.lock = threading.Lock()
        self.verdicts, self.troubles, self.started = [], [], 0
        self.seconds = self.measure(sorted({t for path in arguments.paths for t in TARGETS[path]}))

    def measure(self, tests):
        """How long each test may be silent. Unchanged it must pass."""
        def limit(test):
            verdict, detail, silence = killing.run_until_failure(
                self.shop.program(test), self.work, 600, self.shop.root)
            if verdict != killing.SURVIVED:
                sys.exit(f"{test} fails without a mutant: {detail}")
            return 4 + 5 * silence

        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            return dict(zip(tests, pool.map(limit, tests)))

    def is_over(self):
        limit = self.arguments.seconds
        judged = sum(v != killing.STILLBORN for _, v, _ in self.verdicts)
        return (limit and time.monotonic() - self.begin > limit or
                self.arguments.sample and judged >= self.arguments.sample)

    def judge(self, mutant):
        with self.lock:
            if self.is_over():
                return
            self.started += 1
            folder = self.work / f"mutant-{self.started}"
        try:
            verdict, detail = killing.judge(self.shop, mutant, TARGETS[mutant.path], self.seconds,
                                            folder)
        except killing.Trouble as trouble:
            with self.lock:
                self.troubles.append(f"{mutant.name}: {trouble}")
            return
        finally:
            killing.shutil.rmtree(folder, ignore_errors=True)
        with self.lock:
            self.verdicts.append((mutant, verdict, detail))
            if verdict == killing.SURVIVED or self.arguments.verbose:
                print(f"{verdict}: {mutant.name}" + (f" ({detail})" if detail else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", metavar="FILE", help="of those that can be mutated")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--sample", type=int, default=200, help="mutants to judge")
    parser.add_argument("--all", action="store_true", help="every mutant of the files")
    parser.add_argument("--seconds", type=float, default=0, help="start no mutant after this time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="a file for the table of figures")
    parser.add_argument("--list", action="store_true", help="name the mutants, run nothing")
    parser.add_argument("--verbose", action="store_true", help="every verdict, not survivors alone")
    arguments = parser.parse_args()
    arguments.paths = arguments.paths or list(TARGETS)
    if arguments.all:
        arguments.sample = 0
    for path in arguments.paths:
        if path not in TARGETS:
            parser.error(f"'{path}' is none of {', '.join(TARGETS)}")

    equivalent = read_equivalent(Path(__file__).with_name("equivalent.txt"))
    mutants = [m for path in arguments.paths
               for m in mutation.mutants_of(path, (ROOT / path).read_text())]
    known = {m.name for m in mutants}
    stale = [name for name in equivalent
             if name not in known and name.split(" | ")[0] in arguments.paths]
    for name in stale:
        print(f"equivalent.txt names what is no mutant any more: {name}")
    mutants = [m for m in order_of(mutants, arguments.seed) if m.name not in equivalent]
    if arguments.list:
        print(*(m.name for m in mutants), sep="\n")
        return 0

    work = arguments.build.resolve() / "mutants"
    killing.shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    run = Run(killing.Workshop(ROOT, arguments.build.resolve()), arguments, work)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(run.judge, mutants))

    for trouble in run.troubles:
        print(f"not judged: {trouble}")
    count = {v: sum(w == v for _, w, _ in run.verdicts)
             for v in (killing.KILLED, killing.SURVIVED, killing.STILLBORN)}
    judged = count[killing.KILLED] + count[killing.SURVIVED]
    score = 100 * count[killing.KILLED] / judged if judged else 0
    print(f"{judged} mutants of {len(mutants)}: {count[killing.KILLED]} killed, "
          f"{count[killing.SURVIVED]} survived, {score:.1f} %; {count[killing.STILLBORN]} did not "
          f"compile, {len(equivalent)} are known to be equivalent; "
          f"{time.monotonic() - run.begin:.0f} s")
    if arguments.figures:
        arguments.figures.write_text(f"mutants judged\t{judged}\t{min(30, len(mutants))}\n"
                                     f"mutants killed, %\t{score:.1f}\t90\n")
    return 1 if run.troubles or stale or not judged else 0


if __name__ == "__main__":
    sys.exit(main())
