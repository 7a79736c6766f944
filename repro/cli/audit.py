"""`repro audit` and `repro explain`: what is wrong with networks as people publish them, told from their text."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from repro.audit.finding import LANGUAGES, Words
from repro.audit.refusal import Refusal
from repro.audit.report import Audited, Explained, exit_code
from repro.cli.messages import language_of_the_locale, tell, tell_error
from repro.cli.options import Verbs, add_formats, count

if TYPE_CHECKING:
    from repro.audit.engine import Runner, Task

_STANDARD_INPUT = "-"
_NOTHING_TO_AUDIT = Words(
    "{folder}: there is nothing to audit in this folder; expected files that end in {kinds}; hidden and excluded ones "
    "do not count, and others can be given by name",
    "{folder}: 这个文件夹里没有可以审查的文件；文件名应当以 {kinds} 结尾，隐藏的和排除的不算；"
    "其他文件可以直接给出文件名",
)


def add(verbs: Verbs, _: argparse.ArgumentParser) -> None:
    """Both commands."""
    verb = verbs.add_parser(
        "audit",
        help="what is wrong with networks in source files, notebooks and tutorials",
        description="Read Python files, notebooks, Markdown, saved HTML or pasted text, and tell what is wrong with "
        "the networks and training loops in them. Nothing of them is run without --run.",
        epilog="Cells of a notebook are counted from 0, Markdown cells included; lines from 1, within their cell. "
        "A line that ends in `# repro: ignore[CNN401]` is accepted as it is; `# repro: ignore-file[CNN401]` above the "
        "first statement is about the whole file; without brackets, either is about all rules. Exit status: 0 neither "
        "bug nor risk, 1 some, 2 something could not be audited.",
    )
    verb.add_argument("paths", metavar="PATH", nargs="+", help="files and folders; - is standard input")
    verb.add_argument(
        "--format", choices=("text", "json", "sarif", "html", "github"), default="text", help="default: text"
    )
    verb.add_argument("--output", type=Path, metavar="FILE", help="where the report goes (default: standard output)")
    verb.add_argument("--lang", choices=LANGUAGES, help="default: the project's configuration, or the locale")
    which = (
        "codes such as CNN401, beginnings such as CNN4, or names such as softmax-before-loss; separated by commas, "
        "may be repeated"
    )
    verb.add_argument("--select", type=_words, action="extend", metavar="RULES", help=f"only these: {which}")
    verb.add_argument("--ignore", type=_words, action="extend", metavar="RULES", help="all but these, likewise")
    verb.add_argument(
        "--stdin-name",
        default="<stdin>",
        metavar="NAME",
        help="what standard input is called; a name such as x.py also says what it is (default: told by how it begins)",
    )
    verb.add_argument(
        "--run",
        dest="runs",
        action="store_true",
        help="also run the definitions in each file where they can do no harm, build its networks, and ask them too; "
        "`repro doctor` says how code is isolated",
    )
    verb.add_argument(
        "--run-without-isolation",
        action="store_true",
        help="run the code with all your rights where this machine has nothing to take them away",
    )
    verb.add_argument(
        "--fix",
        action="store_true",
        help="also print, as a diff for `git apply` or `patch -p1`, what can be repaired without judgement; nothing is "
        "changed",
    )
    verb.add_argument("--write", action="store_true", help="with --fix: change the files so")
    verb.add_argument("--jobs", type=count, metavar="N", help="processes (default: as many as there are cores)")
    verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verb.set_defaults(run=_audit)

    verb = verbs.add_parser("explain", help="what a rule of audit finds, why, and what it cannot see")
    add_formats(verb)
    verb.add_argument("rule", metavar="RULE", nargs="?", help="a code or a name; default: all of them")
    verb.add_argument("--lang", choices=LANGUAGES, help="default: the locale")
    verb.set_defaults(run=_explain)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _audit(options: argparse.Namespace) -> int:
    from repro.audit import engine
    from repro.audit.files import empty_folders
    from repro.audit.source.document import KINDS

    _check_fix(options)
    engine.seldom_look_for_cycles()
    tasks, configured = _tasks(options)
    options.lang = language = options.lang or configured or language_of_the_locale()
    for folder in empty_folders(options.paths, _is_excluded):
        kinds = Words(", ", "、").told(language).join(KINDS)
        tell(_NOTHING_TO_AUDIT.told(language).format(folder=folder, kinds=kinds))
    done, told = [], {""}
    with _runner(options) as runner:
        for each in engine.audit_all(tasks, options.jobs or _cores(), options.debug, language, runner):
            done.append(each)
            if options.format == "text" and options.output is None:
                _print(_text(each, language, _is_coloured()))
            if each.error not in told:  # one may be of all files of a project
                told.add(each.error)
                tell_error(each.error, language)
    if options.output is not None:
        _write(options.output, _rendered(options.format, done, language))
    elif options.format == "text":
        _print(_total(done, language))
    else:
        _print(_rendered(options.format, done, language))
    if options.fix:
        from repro.cli.fixing import Fixing

        done = Fixing(options.write, options.debug, language).all(tasks, done)
    return exit_code(done)


def _check_fix(options: argparse.Namespace) -> None:
    """Raises Refusal where repairs are wanted in a form in which there are none."""
    if options.write and not options.fix:
        raise Refusal("--write goes with --fix", "--write 要与 --fix 一起用")
    if options.fix and options.format != "text" and options.output is None:
        raise Refusal(
            f"--fix prints a diff behind the report, which {options.format} has no room for; use --format text, or "
            "--output FILE for the report",
            f"--fix 会在报告之后打印差异，{options.format} 格式容不下它；"
            "请用 --format text，或用 --output FILE 另存报告",
        )
    if options.write and _STANDARD_INPUT in options.paths:
        raise Refusal("standard input cannot be changed; leave out --write", "标准输入无法改写；请去掉 --write")


def _runner(options: argparse.Namespace) -> AbstractContextManager[Runner | None]:
    """What runs the code, if that is wanted."""
    if not (options.runs or options.run_without_isolation):
        return nullcontext()
    from repro.running.runner import Runner

    return Runner(options.run_without_isolation)


def _tasks(options: argparse.Namespace) -> tuple[list[Task], str | None]:
    """What is to be audited by which rules, and the language that the first project with one configures."""
    from repro.audit import configuration
    from repro.audit.engine import Task
    from repro.audit.files import files
    from repro.audit.selection import selected

    data = sys.stdin.buffer.read() if _STANDARD_INPUT in options.paths else None
    tasks, languages = [], []
    for path in files(options.paths, _is_excluded):
        given = path == _STANDARD_INPUT
        name = options.stdin_name if given else path
        project = configuration.nearest(name)
        chosen = selected(tuple(options.select or project.select), (*project.ignore, *(options.ignore or ())))
        tasks.append(Task(name, tuple(rule.code for rule in chosen), data if given else None, project.error))
        languages.append(project.lang)
    return tasks, next(filter(None, languages), None)


def _is_excluded(path: str) -> bool:
    from repro.audit import configuration

    return configuration.nearest(path).leaves_out(path)


def _rendered(form: str, files: Sequence[Audited], language: str) -> Iterator[str]:
    """The lines, or larger pieces, of the whole report."""
    match form:
        case "text":
            for each in files:
                yield from _text(each, language, coloured=False)
            yield from _total(files, language)
        case "json":
            from repro.render.audit import json

            yield json.report(files, language)
        case "sarif":
            from repro.render.audit import sarif

            yield sarif.report(files, _explained(), language, Path.cwd())
        case "html":
            from repro.render.audit import html

            yield html.page(files, _explained(), language)
        case "github":
            from repro.render.audit import github

            yield from github.lines(files, language)


def _text(audited: Audited, language: str, coloured: bool) -> Iterator[str]:
    from repro.render.audit import text

    yield from text.lines(audited, language, coloured)


def _total(files: Sequence[Audited], language: str) -> Iterator[str]:
    from repro.render.audit import text

    yield from text.total(files, language)


def _explain(options: argparse.Namespace) -> int:
    from repro.audit.selection import rules_for
    from repro.render.audit import rules as rendering

    chosen = [rule.explained for rule in rules_for(options.rule)] if options.rule else _explained()
    language = options.lang or language_of_the_locale()
    if options.format == "json":
        from repro.render import json

        _print([json.document(rules=[rendering.plain(rule, language) for rule in chosen])])
    elif options.format == "markdown":
        _print(rendering.document(chosen))
    elif len(chosen) == 1:
        _print(rendering.page(chosen[0], language))
    else:
        _print(rendering.listing(chosen, language))
    return 0


def _explained() -> list[Explained]:
    from repro.audit.known import known

    return [each.explained for each in known()]


def _print(lines: Iterable[str]) -> None:
    """What the terminal's encoding does not have is written as an escape."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for line in lines:
        print(line)


def _write(file: Path, lines: Iterable[str]) -> None:
    from repro import atomic

    content = "".join(f"{line}\n" for line in lines).encode("utf-8", errors="backslashreplace")
    try:
        atomic.write(file, content)
    except OSError as error:
        why = error.strerror or error
        raise Refusal(f"the report cannot be written: {why}", f"报告无法写入：{why}").said_of(str(file)) from error


def _is_coloured() -> bool:
    """Whether somebody looks who wants colours: https://no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
