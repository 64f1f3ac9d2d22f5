"""The runbooks can be followed at night: each has commands, which can be pasted."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Final

import pytest

from local.paths import ROOT
from local.template import template

RUNBOOKS: Final = "docs/runbooks.md"
PAGES: Final = (
    *(RUNBOOKS, "docs/zh-CN/runbooks.md"),
    *("docs/operations.md", "docs/zh-CN/operations.md"),
)
"""The runbooks, and the page with the other commands that are pasted."""
STEPS: Final = {"look", "fix", "check"}
FENCE: Final = re.compile(r"^( *)```\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SPAN: Final = re.compile(r"`((?:aws|bin/scheduler-ops|scheduler-ops) [^`\n]+)`")
SECTION: Final = re.compile(r"^##? (.+)\n", re.MULTILINE)
PLACEHOLDER: Final = re.compile(r"…|(?<!\$)\b(?:NAME|STACK|REGION|ACCOUNT|ID)\b(?!=)")
"""Words in capitals that the shell does not replace."""
FUNCTION: Final = re.compile(r"\$SCHEDULER_STACK-([a-z-]*[a-z])\"")
OUTPUT: Final = re.compile(r"\$\(output (\w+)\)")
LINK: Final = re.compile(r"runbooks\.md#([\w-]+)")
FILTER: Final = re.compile(r"\$SCHEDULER_STACK-([a-z-]+)\"[^|\n]* --filter-pattern '([^']+)'")
TERM: Final = re.compile(r'"([^"]+)"|\??(\w+)')
OF_LAMBDA: Final = {"ERROR", "Task timed out", "Runtime exited"}
"""Of Powertools (the level), and in lines that Lambda writes itself."""
WALKED: Final = {RUNBOOKS: "Broker away", "docs/zh-CN/runbooks.md": "Broker 不可用"}
"""A runbook, by the page whose table says how it was walked."""
BASH: Final = shutil.which("bash") or "bash"


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def runbooks() -> dict[str, str]:
    """Return the sections by their anchors."""
    _, *parts = SECTION.split(page(RUNBOOKS))
    titles = (title.lower().replace(" ", "-") for title in parts[::2])
    return dict(zip(titles, parts[1::2], strict=True))


def linked() -> list[str]:
    """Return the sections that alarms link to."""
    templates = [ROOT / "infrastructure/operations.yaml", ROOT / "infrastructure/shard.yaml"]
    return sorted({one for file in templates for one in LINK.findall(file.read_text("utf-8"))})


def commands(name: str) -> list[str]:
    """Return the lines of code and the commands in the text, without comments."""
    text = page(name)
    lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    return [re.sub(r"(^| +)# .*", "", line) for line in lines] + SPAN.findall(FENCE.sub("", text))


@pytest.mark.parametrize("section", linked())
def test_runbook_of_an_alarm_has_commands_to_look_to_fix_and_to_check(section: str) -> None:
    blocks = "".join(block for _, block in FENCE.findall(runbooks()[section]))

    assert set(re.findall(r"\S  +# (\w+):", blocks)) >= STEPS


@pytest.mark.parametrize("name", PAGES)
def test_commands_have_no_placeholder_that_the_shell_does_not_replace(name: str) -> None:
    found = commands(name)

    assert len(found) > len(linked())
    assert [line for line in found if PLACEHOLDER.search(line)] == []


@pytest.mark.parametrize("name", PAGES)
def test_blocks_of_commands_are_understood_by_the_shell(name: str) -> None:
    for _, block in FENCE.findall(page(name)):
        result = subprocess.run(
            [BASH, "-n"], input=block, capture_output=True, text=True, check=False
        )
        assert not result.stderr, block


@pytest.mark.parametrize("name", PAGES)
def test_functions_in_commands_are_those_of_the_template(name: str) -> None:
    properties = (one.get("Properties", {}) for one in template()["Resources"].values())
    made = {one.get("FunctionName", {}).get("Sub") for one in properties}
    named = {f"${{AWS::StackName}}-{function}" for function in FUNCTION.findall(page(name))}

    assert named
    assert named <= made


@pytest.mark.parametrize("name", PAGES)
def test_outputs_in_commands_are_those_of_the_template(name: str) -> None:
    named = set(OUTPUT.findall(page(name)))

    assert named
    assert named <= template()["Outputs"].keys()


@pytest.mark.parametrize("name", PAGES)
def test_no_command_is_broken_inside_a_word(name: str) -> None:
    """Pasted with the indentation of its page, the second half would be a word of its own."""
    broken = [block for _, block in FENCE.findall(page(name)) if re.search(r"\S\\\n", block)]

    assert broken == []


@pytest.mark.parametrize(("function", "pattern"), sorted(set(FILTER.findall(page(RUNBOOKS)))))
def test_filter_of_a_log_looks_for_what_its_function_writes(function: str, pattern: str) -> None:
    folders = [ROOT / "functions" / function.replace("-", "_"), ROOT / "layers/scheduler/scheduler"]
    code = "".join(file.read_text("utf-8") for one in folders for file in one.rglob("*.py"))
    code = re.sub(r"\{[\w.]+\}", "{}", code)  # in "Notification {outcome}" any word may stand
    if pattern.startswith("{"):
        terms = {*re.findall(r"\$\.(\w+)|\"(\w+)\"", pattern)}
        terms = {"".join(one) for one in terms}
    else:
        terms = {quoted or bare for quoted, bare in TERM.findall(pattern)} - OF_LAMBDA

    def written(term: str) -> bool:
        first, _, last = term.rpartition(" ")
        return term in code or (f"{first} {{}}:" in code and f'"{last}"' in code)

    assert [term for term in terms if not written(term)] == []


@pytest.mark.parametrize("name", WALKED)
def test_page_says_of_each_runbook_how_it_was_walked(name: str) -> None:
    text = page(name)
    sections = [title for title in SECTION.findall(text) if f"\n| {title} | " in text]

    assert WALKED[name] in sections
    assert len(sections) == len(linked())


def test_each_row_about_a_walk_is_about_the_runbook_of_an_alarm() -> None:
    text = page(RUNBOOKS)

    for anchor in linked():
        title = next(
            one for one in SECTION.findall(text) if one.lower().replace(" ", "-") == anchor
        )
        assert f"\n| {title} | " in text
