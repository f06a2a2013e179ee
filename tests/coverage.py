"""What gcov counted, for each module of the program, and the error paths that no test reached: see coverage.sh."""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ERROR_PATH = re.compile(r"\bthrow\b|throw_errno\(|\b(fail|fail_at|refuse|refused|corrupt|wrong|violation|cannot)\(|Error\(ErrorCode::")


class Counts:
    """Of one line, over all the files that compiled it."""

    def __init__(self):
        self.runs = 0
        self.branches = {}

    def add(self, line):
        self.runs += line["count"]
        # The ways that only an exception takes are the compiler's: there is one behind every call.
        for number, branch in enumerate(b for b in line["branches"] if not b["throw"]):
            self.branches[number] = self.branches.get(number, 0) + branch["count"]


def gcov(counters, root):
    files = collections.defaultdict(lambda: collections.defaultdict(Counts))
    with tempfile.TemporaryDirectory() as scratch:
        for at in range(0, len(counters), 20):
            output = subprocess.run(["gcov", "--branch-probabilities", "--json-format", "--stdout", *counters[at : at + 20]],
                                    cwd=scratch, check=True, capture_output=True, text=True).stdout
            for document in output.splitlines():
                if not document.startswith("{"):
                    continue
                unit = json.loads(document)
                for file in unit["files"]:
                    path = pathlib.Path(unit["current_working_directory"], file["file"]).resolve()
                    if path.is_relative_to(root / "src") or path.is_relative_to(root / "include"):
                        for line in file["lines"]:
                            files[path][line["line_number"]].add(line)
    return files


def module_of(path, root):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "src" else parts[2]


def percent(part, whole):
    return f"{100 * part / whole:.1f} %" if whole else "-"


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    counters = [str(path) for path in sorted((build / "src").rglob("*.gcda")) if path.stat().st_size]
    if not counters:
        sys.exit("coverage.py: nothing was counted; has tests/coverage.sh run the tests?")
    files = gcov(counters, root)

    modules = collections.defaultdict(lambda: [0, 0, 0, 0])
    unreached = []
    for path in sorted(files):
        text = path.read_text().splitlines()
        for number, line in sorted(files[path].items()):
            branches = line.branches.values()
            for name in (module_of(path, root), "all"):
                sums = modules[name]
                sums[0] += line.runs > 0
                sums[1] += 1
                sums[2] += sum(count > 0 for count in branches)
                sums[3] += len(branches)
            if not line.runs and ERROR_PATH.search(text[number - 1]):
                unreached.append(f"{path.relative_to(root)}:{number}: {text[number - 1].strip()}")

    print("| module | lines | | branches | |\n| --- | ---: | ---: | ---: | ---: |")
    order = re.findall(r"^gsync_module\((\w+)", (root / "src/CMakeLists.txt").read_text(), re.M)
    for name in [*order, "all"]:
        lines, all_lines, taken, ways = modules[name]
        print(f"| {name} | {lines} of {all_lines} | {percent(lines, all_lines)} | {taken} of {ways} | {percent(taken, ways)} |")
    print(f"\nError paths that no test reached: {len(unreached)}\n")
    print("\n".join(unreached))


main()
