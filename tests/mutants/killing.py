"""Runs tests against mutants without building the project again.

Kernel text stands in the test programs as bytes: a mutant of the same length is written over it in a
copy of the program. Of a C source or of ops.def only the objects whose preprocessed text changes are
compiled, and linked in front of the library.
"""
import hashlib
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

KILLED, SURVIVED, STILLBORN = "killed", "survived", "does not compile"


class Trouble(Exception):
    """The mutant cannot be judged: a fault of the tool or of its surroundings."""


def fitted(text, size):
    """The text with exactly this many bytes: its first comment gives or takes."""
    data = text.encode()
    if len(data) <= size:
        return data + b" " * (size - len(data))
    begin, end = data.index(b"/*") + 2, data.index(b"*/")
    surplus = len(data) - size
    if end - begin < surplus:
        raise Trouble("the first comment is too short to make room")
    return data[: end - surplus] + data[end:]


def run_until_failure(program, folder, seconds, root):
    """(verdict, detail, longest silence): stops at the first failing test of a Check program.

    A line is said behind each test; after 'seconds' without one the program counts as never ending.
    """
    environment = dict(os.environ, CK_FORK="no", CK_TAP_LOG_FILE_NAME="-", CK_VERBOSITY="silent",
                       TMPDIR=str(folder), PARARNNC_CACHE_DIR="none", LC_ALL="C")
    process = subprocess.Popen(["stdbuf", "-oL", str(program)], cwd=root, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    output, silence, spoken = "", 0, time.monotonic()
    try:
        while True:
            if not selector.select(seconds):
                return KILLED, "took too long", seconds
            silence, spoken = max(silence, time.monotonic() - spoken), time.monotonic()
            chunk = os.read(process.stdout.fileno(), 65536).decode(errors="replace")
            output += chunk
            failure = re.search(r"^not ok.*?(\w+): ", output, re.MULTILINE)
            if failure or not chunk:
                break
        if re.search(r"\.c:\d+(:\d+)?: (fatal )?error:", output):
            return STILLBORN, "", silence
        if failure:
            parts = failure.string[failure.start():].split("\n")[0].split(":")
            return KILLED, parts[3].strip() if len(parts) > 3 else failure.group(0), silence
        code = process.wait(timeout=10)
        if code:
            return KILLED, f"ended with {code}", silence
        return SURVIVED, "", silence
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()


class Workshop:
    """What is needed of the build: programs, compile commands, which object reads which file."""

    def __init__(self, root, build):
        self.root, self.build = root, build
        self.commands = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            self.commands[Path(entry["file"])] = shlex.split(entry["command"])
        self.readers = self.find_readers()
        self.plain_text = {}  # source -> hash of what the preprocessor makes of it unchanged
        self.links = {}

    def find_readers(self):
        deps = subprocess.run(["ninja", "-C", str(self.build), "-t", "deps"], check=True,
                              capture_output=True, text=True).stdout
        readers, sources = {}, {}
        for source, command in self.commands.items():
            sources[command[command.index("-o") + 1]] = source
        current = None
        for line in deps.splitlines():
            if line and not line.startswith(" "):
                current = sources.get(line.split(":")[0])
            elif line.strip() and current:
                path = Path(os.path.normpath(self.build / line.strip()))
                readers.setdefault(path, set()).add(current)
        return readers

    def library_readers(self, path):
        found = self.readers.get(self.root / path, set()) | {self.root / path}
        return sorted(s for s in found if s in self.commands and
                      s.relative_to(self.root).parts[0] in ("compiler", "runtime"))

    def program(self, test):
        for folder in ("tests/kernels", "tests"):
            if (self.build / folder / test).is_file():
                return self.build / folder / test
        raise Trouble(f"{test} is not built")

    def preprocessed(self, command):
        done = subprocess.run([*command, "-E", "-P", "-o", "-"], cwd=self.build,
                              capture_output=True)
        return hashlib.sha256(done.stdout).digest() if done.returncode == 0 else None

    def compile_command(self, source, overlay, overlaid):
        """Without the output; the files of 'overlaid' are found in 'overlay' instead."""
        command = list(self.commands[source])
        if "ccache" in command[0]:
            command = command[1:]
        out = command.index("-o")
        del command[out : out + 2]
        for flag in ("-MD", "-MT", "-MF"):
            if flag in command:
                k = command.index(flag)
                del command[k : k + (1 if flag == "-MD" else 2)]
        if overlay:
            command.insert(1, f"-I{overlay}")
            if source.parent == overlaid:
                command[command.index(str(source))] = str(overlay / source.name)
        return [part for part in command if part != "-c"]

    def link_command(self, test):
        if test not in self.links:
            target = self.program(test).relative_to(self.build)
            lines = subprocess.run(["ninja", "-C", str(self.build), "-t", "commands", str(target)],
                                   check=True, capture_output=True, text=True).stdout
            self.links[test] = lines.strip().splitlines()[-1]
        return self.links[test]


def make_overlay(folder, source, text):
    """A folder of links to the files beside a source, in which that one is another text."""
    folder.mkdir()
    for file in source.parent.iterdir():
        if file.is_file() and file.name != source.name:
            (folder / file.name).symlink_to(file)
    (folder / source.name).write_text(text)


def text_program(shop, test, path, mutated, folder):
    """A copy of the test program with the mutant in place of the kernel text."""
    original = (shop.root / path).read_bytes()
    data = shop.program(test).read_bytes()
    if data.count(original) != 1:
        raise Trouble(f"{path} stands {data.count(original)} times in {test}: build first")
    program = folder / test
    program.write_bytes(data.replace(original, fitted(mutated, len(original))))
    program.chmod(0o755)
    return program


def compiled_objects(shop, path, mutated, folder):
    """The objects that the mutant changes; none: it changes nothing; None: it does not compile."""
    source = shop.root / path
    overlay = folder / "overlay"
    make_overlay(overlay, source, mutated)
    objects = []
    for reader in shop.library_readers(path):
        if reader not in shop.plain_text:
            shop.plain_text[reader] = shop.preprocessed(shop.compile_command(reader, None, None))
        command = shop.compile_command(reader, overlay, source.parent)
        if shop.preprocessed(command) == shop.plain_text[reader]:
            continue
        out = folder / (reader.stem + ".o")
        done = subprocess.run([*command, "-O1", "-w", "-c", "-o", str(out)], cwd=shop.build,
                              capture_output=True)
        if done.returncode:
            return None
        objects.append(out)
    return objects


def linked_program(shop, test, objects, folder):
    program = folder / test
    command = shop.link_command(test)
    target = str(shop.program(test).relative_to(shop.build))
    command = command.replace(f"-o {target} ", f"-o {program} ", 1)
    place = re.search(r" \S*libpararnnc\.a", command).start()
    command = command[:place] + " " + " ".join(map(str, objects)) + command[place:]
    done = subprocess.run(command, shell=True, cwd=shop.build, capture_output=True, text=True)
    if done.returncode:
        raise Trouble(f"{test} does not link:\n{done.stderr}")
    return program


def judge(shop, mutant, tests, seconds, folder):
    """(verdict, detail) of a mutant under these tests; 'seconds': how long each may be silent."""
    text = (shop.root / mutant.path).read_text()
    mutated = mutant.apply(text)
    is_text = mutant.path.startswith("kernels-gen/")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    objects = None
    if not is_text:
        objects = compiled_objects(shop, mutant.path, mutated, folder)
        if objects is None:
            return STILLBORN, ""
        if not objects:
            raise Trouble("the mutant changes no object")
    for test in tests:
        if is_text:
            program = text_program(shop, test, mutant.path, mutated, folder)
        else:
            program = linked_program(shop, test, objects, folder)
        verdict, detail, _ = run_until_failure(program, folder, seconds[test], shop.root)
        program.unlink()
        if verdict != SURVIVED:
            return verdict, f"{test}: {detail}" if detail else test
    return SURVIVED, ""
