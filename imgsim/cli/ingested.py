"""What came of an ingest, in words: taken in, failed, passed over, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim.cli.output import say, warn
from imgsim.errors import ImgsimError
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.ingest.summary import PassedOver, Summary

WORDS = {
    "new": "new",
    "changed": "changed, looked at again",
    "completed": "completed: another model had not looked at them",
    "duplicate": "same content as another file, stored as an image of its own",
    "moved": "moved, recognised by their content",
    "unchanged": "unchanged",
    "failed": "failed",
}
MOST = 8
"""How many endings or folders are named; the rest is counted."""


def report(summary: Summary) -> None:
    """Says how many files were taken in, failed and were passed over, and why."""
    for kind, meaning in WORDS.items():
        if count := getattr(summary, kind):
            say(f"{count:>9,} {meaning}")
    for reason, count in summary.reasons.most_common():
        say(f"{count:>17,} {reason}")
    if pages := summary.without_regions:
        noun = "page" if pages == 1 else "pages"
        say(f"{pages:>9,} {noun} without an accepted region, skipped")
    _report_passed(summary.passed)
    if summary.failed:
        say("see which files, and why: imgsim report failures")
    for paths in summary.passed.spelt_alike:
        # Escaped: on the screen the two would look the same.
        warn(
            "these names differ only in how accents are written; each is a file of its own: "
            + ", ".join(map(ascii, paths))
        )


def warn_of_skipped(stored: Mapping[str, int]) -> None:
    """Warns of stored images of folders that are skipped: earlier versions took them in."""
    if stored:
        folder = next(iter(stored))
        images = counted(sum(stored.values()), "stored image")
        warn(
            f"{images} in {counted(len(stored), 'folder')} that ingest skips, such as {folder}; "
            "if you did not take them in on purpose: imgsim remove FOLDER"
        )


def _report_passed(passed: PassedOver) -> None:
    others = passed.endings.total()
    if others:
        say(f"{others:>9,} other {'file' if others == 1 else 'files'}, skipped")
        for line in _endings(passed):
            say(f"{'':>8}{line}")
    if passed.hidden:
        noun = "file" if passed.hidden == 1 else "files"
        say(f"{passed.hidden:>9,} hidden {noun}, skipped")
    if folders := passed.folders.total():
        noun = "folder" if folders == 1 else "folders"
        say(f"{folders:>9,} hidden or system {noun}, skipped: {_named(passed.folders)}")


def _endings(passed: PassedOver) -> list[str]:
    """Returns a line for each ending, with what to do where such files hold pictures."""
    known = [(suffix, advice) for suffix in passed.endings if (advice := _advice(passed, suffix))]
    known.sort(key=lambda item: (-passed.endings[item[0]], item[0]))
    lines = [f"{passed.endings[suffix]:>9,} {advice}" for suffix, advice in known]
    rest = passed.endings - Counter({suffix: passed.endings[suffix] for suffix, _ in known})
    shown = sorted(rest.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    lines += [f"{count:>9,} {_ending(suffix)}" for suffix, count in shown]
    if more := rest.total() - sum(count for _, count in shown):
        lines.append(f"{more:>9,} with other endings")
    return lines


def _advice(passed: PassedOver, suffix: str) -> str:
    """Returns what files of an ending are and what to do; empty if they hold no pictures."""
    from imgsim.images import kinds

    files = passed.endings[suffix]
    if unread := kinds.UNREAD_SUFFIXES.get(suffix):
        return f"{suffix} ({unread.what}): {unread.advice(files)}"
    held = Counter({kind: n for (end, kind), n in passed.pictures.items() if end == suffix})
    if not held:
        return ""
    (kind, _), *others = held.most_common()
    them = "it" if files == 1 else "them"
    formats = ", ".join(sorted(held))
    some = "" if held.total() == files else f"at least {held.total():,} of "
    verb = "holds a picture" if files == 1 else "hold pictures"
    end = kinds.USUAL_SUFFIX[kind] if not others else "of their format"
    subject = f"{some}them {verb}" if some else verb
    return (
        f"{_ending(suffix)}: {subject} ({formats}): name {them} on the command line, or give "
        f"{them} the ending {end}"
    )


def _ending(suffix: str) -> str:
    return suffix or "without an ending"


def _named(folders: Counter[str]) -> str:
    shown = sorted(folders.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    words = [name if count == 1 else f"{name} ({count:,})" for name, count in shown]
    more = folders.total() - sum(count for _, count in shown)
    return ", ".join(words) + (f" and {more:,} more" if more else "")


def refuse_nothing(summary: Summary, paths: Sequence[Path]) -> None:
    """Raises ImgsimError if there was no picture to take in, and says what was there instead."""
    if summary.files:
        return
    from imgsim.images import kinds

    where = ", ".join(map(str, paths[:MOST]))
    passed = summary.passed
    held = [
        f"{passed.endings[suffix]:,} {suffix}"
        for suffix, _ in passed.endings.most_common()
        if suffix in kinds.UNREAD_SUFFIXES
    ]
    step = "see that the path is right"
    if summary.without_regions:
        reason = "no region of its pages is accepted"
        step = "imgsim region load FILE --accept, or imgsim region accept FOLDER"
    elif held:
        reason = f"it holds {', '.join(held)}, which imgsim does not read"
        most = next(s for s, _ in passed.endings.most_common() if s in kinds.UNREAD_SUFFIXES)
        advice = kinds.UNREAD_SUFFIXES[most].advice(passed.endings[most])
        step = f"{advice}, then ingest what comes of it"
    elif passed.pictures:
        reason = "the pictures in it do not have the ending of one"
        step = "name the files on the command line, or give them an ending such as .png"
    elif passed.folders:
        reason = f"hidden and system folders are skipped ({_named(passed.folders)})"
        step = "name such a folder itself to take it in"
    elif passed.files:
        reason = f"it holds {counted(passed.files, 'other file')}"
    else:
        reason = "it holds no file"
    raise ImgsimError(f"cannot find a picture in {where}: {reason}", step)


def show_timings(summary: Summary) -> None:
    """Shows how long each stage was at work, and for how long the others waited for it."""
    timings = summary.timings
    say(f"{'stage':<24}{'at work':>10}{'items':>10}{'items/s':>10}{'awaited':>10}")
    for name, stage in timings.in_order():
        rate = f"{stage.items / stage.busy:,.1f}" if stage.busy else ""
        items = f"{stage.items:,}" if stage.items else ""
        say(
            f"{name:<24}{_seconds(stage.busy):>10}{items:>10}{rate:>10}{_seconds(stage.awaited):>10}"
        )
    say(f"{'from start to end':<24}{_seconds(timings.seconds):>10}")


def _seconds(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds else ""
