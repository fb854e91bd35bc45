#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The options that there are, the ones that are documented, and the ones that are completed.

The environment says where the programs are: PV_LAUNCH, PVCTL, PV_LAUNCH_LIBEXECDIR.
"""

import os
import re
import subprocess
import tap

ROW = re.compile(r'\{ "([a-z-]+)", (PV_OPTION_[A-Z_]+), (?:"[^"]*"|NULL), ("[^"]*"|NULL),'
                 r'\s*([A-Z_ |]+),')
NO_VARIABLE = "PV_OPTION_NO_ENVIRONMENT"

# The help of a task has options in the form "  -h, --help" or "  --name=VALUE".
HELP_OPTION = re.compile(r"^\s+(?:-\w, )?--([a-z][a-z-]*)", re.MULTILINE)
# .It Fl -name, .It Fl v , -name; not the ones that a sentence mentions
MAN_OPTION = re.compile(r"^\.It Fl (?:\w , )?-([a-z][a-z-]*)", re.MULTILINE)
MAN_SECTION = re.compile(r"^\.(?:Sh|Ss) (.+)$", re.MULTILINE)
WORD = re.compile(r"--([a-z][a-z-]*[a-z])")

MAX_COLUMNS = 80


def run(program, *arguments):
    """Without any variable that is an option."""
    environment = {name: value for name, value in os.environ.items()
                   if name == "PV_LAUNCH_LIBEXECDIR" or not name.startswith(("PV_", "PRESSURE_"))}
    return subprocess.run([program, *arguments], env=environment, text=True, timeout=60,
                          capture_output=True, check=False)


def compare(what, found, expected):
    problems = [f"{what}: --{name} is missing" for name in sorted(expected - found)]
    return problems + [f"{what}: --{name} is no option" for name in sorted(found - expected)]


def split_man(path):
    """Returns: the text of each section and subsection by its title"""
    parts = MAN_SECTION.split(tap.read(path))
    return dict(zip((title.strip('"') for title in parts[1::2]), parts[2::2]))


def read_table():
    rows = ROW.findall(tap.read("launcher/option-table.c"))
    names = {row[0] for row in rows}
    variables = {"PV_LAUNCH_" + name.upper().replace("-", "_") for name, _, implied, flags in rows
                 if NO_VARIABLE not in flags and implied != '"0"'}
    return names, variables


def check_help_text(program, *words):
    """It comes on standard output, alone, and fits."""
    result = run(program, *words, "--help")
    problems = []
    if result.returncode != 0 or result.stderr:
        problems.append(f"{words} --help: status {result.returncode}, \"{result.stderr}\"")
    problems += [f"{words} --help: more than {MAX_COLUMNS} columns: {line}"
                 for line in result.stdout.splitlines() if len(line) > MAX_COLUMNS]
    return problems, result.stdout


def check_bad_option(program, status, *words):
    result = run(program, *words, "--no-such-option")
    lines = result.stderr.splitlines()
    problems = []
    if result.returncode != status:
        problems.append(f"{words}: status {result.returncode}, not {status}")
    if result.stdout:
        problems.append(f"{words}: standard output is not empty: {result.stdout}")
    if not 1 <= len(lines) <= 2 or not all(line.startswith("hint: ") for line in lines[1:]):
        problems.append(f"{words}: not one line and a hint: {result.stderr}")
    elif "--no-such-option" not in lines[0]:
        problems.append(f"{words}: does not name the option: {lines[0]}")
    return problems


def check_launch(report, program):
    names, variables = read_table()
    man = split_man("launcher/man/pv-launch.1")
    problems, text = check_help_text(program)
    report.check("pv-launch --help", problems + compare("--help", set(HELP_OPTION.findall(text)),
                                                        names))
    report.check("pv-launch: a bad option", check_bad_option(program, 125))
    report.check("pv-launch(1)", compare("OPTIONS", set(MAN_OPTION.findall(man["OPTIONS"])), names))

    listed = man["ENVIRONMENT"].split("These have no option")[0]
    items = " ".join(re.findall(r"^\.It Ev (.*)$", listed, re.MULTILINE))
    documented = set(re.findall(r"PV_LAUNCH_[A-Z_]+", items))
    report.check("pv-launch(1): variables",
                 [f"{name} is not documented" for name in sorted(variables - documented)]
                 + [f"{name} is no variable" for name in sorted(documented - variables)])
    for name in ("pv-launch", "_pv-launch"):
        found = set(WORD.findall(tap.read(f"launcher/completions/{name}")))
        report.check(f"completions/{name}", compare(name, found, names))


def list_tasks(program, *words):
    """Returns: each task as a tuple of words, and the problems with their help"""
    problems, text = check_help_text(program, *words)
    _, _, tasks = text.partition("\nTasks:\n")
    if not tasks:
        return [words], problems
    found = []
    for name in re.findall(r"^  ([a-z][a-z-]*) ", tasks, re.MULTILINE):
        more, others = list_tasks(program, *words, name)
        found += more
        problems += others
    return found, problems


def check_control(report, program):
    man = split_man("launcher/man/pvctl.1")
    tasks, problems = list_tasks(program)
    all_names = {"help", "version"}
    report.check("pvctl --help", problems)
    report.check("pvctl: a bad option", check_bad_option(program, 2))
    for words in tasks:
        title = " ".join(("pvctl",) + words)
        names = set(HELP_OPTION.findall(run(program, *words, "--help").stdout))
        all_names |= names
        report.check(f"{title}: a bad option", check_bad_option(program, 2, *words))
        report.check(f"pvctl(1): {title}",
                     compare(title, set(MAN_OPTION.findall(man.get(title, ""))), names))
    for name in ("pvctl", "_pvctl"):
        found = set(WORD.findall(tap.read(f"launcher/completions/{name}")))
        report.check(f"completions/{name}", compare(name, found, all_names))


def main():
    report = tap.Report()
    for variable, check in (("PV_LAUNCH", check_launch), ("PVCTL", check_control)):
        program = os.environ.get(variable)
        if program:
            check(report, program)
        else:
            report.skip(variable, f"{variable} is not set")
    report.finish()


if __name__ == "__main__":
    main()
