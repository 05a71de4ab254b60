"""The sections of an evaluation's report beside the main figures: ablation, examples, streams, robustness."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from unmask.stream.evaluate_alarms import LEVELS, STATES
from unmask.stream.evaluate_cells import figure, html_table, notes, ranged, share, share_ranged, text_table, value
from unmask.stream.evaluate_examples import FOLDER, TITLES
from unmask.stream.scores import BRANCHES

STREAM_PLOTS = {
    "swaps.png": "States over time of genuine clips into which a fake is spliced; the lines mark where it begins, ends",
    "streams.png": "States over time of genuine clips, those with alarms first",
}
GRID_PLOT = "robustness.png"
Figures = Mapping[str, Any]


def ablation_section(found: Figures) -> str:
    """The table of every branch, combination, rule and temperature."""
    if not found["rows"]:
        return ""
    datasets = sorted({name for row in found["rows"] for name in row["auc_by_dataset"]})
    rows = [
        (
            " + ".join(row["branches"]),
            row["rule"],
            "yes" if row["temperature"] else "no",
            ranged(row["auc"], row["auc_ci95"]),
            *(value(row[key]) for key in ("eer", "ece", "brier")),
            *(value(row["auc_by_dataset"].get(name), 2) for name in datasets),
        )
        for row in found["rows"]
    ]
    head = ("branches", "rule", "temperature", "AUC", "EER", "ECE", "Brier", *(f"AUC {name}" for name in datasets))
    said = [
        f"This is fusion of whole files ({found['level']}); the live verdict fuses frame by frame with the same rules. "
        f"All rows are over the same {found['n']} files ({found['over']}) that every branch answered.",
        "Without temperature means raw log-odds with bias 0; the fusion weights stay those fitted with temperature.",
        *gain_sentence(found["gain"]),
    ]
    return f"<h2>What each part is worth</h2>{notes(said)}{html_table(head, rows)}"


def gain_sentence(gain: Figures | None) -> Iterator[str]:
    """Whether fusion is better than the best branch, in plain words."""
    if gain is None:
        return
    interval = gain["auc_gain_ci95"]
    sure = bool(interval) and (interval[0] > 0 or interval[1] < 0)
    relation = "above" if gain["auc_gain"] > 0 else "not above"
    span = f", 95 % interval {interval[0]:+.3f} to {interval[1]:+.3f}" if interval else ""
    yield (
        f"Fusion of all branches ({gain['rule']}) is {relation} the best branch alone ({gain['best_branch']}): "
        f"AUC {value(gain['auc_fused'])} against {value(gain['auc_best_branch'])}, "
        f"difference {gain['auc_gain']:+.3f}{span}{'' if sure else ', which could be chance'}."
    )


def examples_section(examples: Sequence[Figures], out: Path) -> str:
    """Faces beside their maps, by kind."""
    parts = []
    for kind, title in TITLES.items():
        shown = [
            figure(
                out / FOLDER / one["picture"],
                f"{one['path']}: p_fake {value(one['p_fake'], 2)}, {one['verdict']}",
                480,
            )
            for one in examples
            if one["kind"] == kind
        ]
        parts += [f"<h3>{escape(title)}</h3>{''.join(shown)}"] if shown else []
    said = (
        "Left to right: the face, the map of the MRI branch (black is untouched), and the map in red over the face. "
        "One file per person or scene. These pictures show people: do not pass this page on without need."
    )
    return f"<h2>Examples</h2>{notes([said])}{''.join(parts)}" if parts else ""


def streams_section(found: Figures, out: Path) -> str:
    """False alarms and the time to an alarm."""
    genuine, swaps = found["genuine"], found["swaps"]
    minutes = ", ".join(f"{value(genuine['minutes'][state], 1)} {state.replace('_', ' ')}" for state in STATES)
    said = [
        f"Played through the live path at {found['rate_hz']:.0f} frames a second of media time, one detector a stream.",
        f"Genuine: {genuine['clips']} clips of {genuine['groups']} people or scenes, {value(genuine['hours'], 2)} h; "
        f"a face in {share(genuine['face_share'])} of the time, a verdict in {share(genuine['coverage'])} of that. "
        f"Minutes: {minutes}.",
        "A false alarm is a face that becomes suspicious (or worse), or manipulated. Intervals are exact Poisson ones; "
        "they take alarms for independent, which those of one clip are not.",
        "A swap is caught when the alarm goes on between its beginning and its end; streams that were alarming before "
        "are left out. Delays are over those caught; clear is the time from the swap's end until the alarm is off.",
    ]
    body = html_table(*genuine_table(genuine)) if genuine["clips"] else ""
    body += html_table(*swap_table(swaps)) if swaps["pairs"] else ""
    pictures = "".join(figure(out / name, caption, 960) for name, caption in STREAM_PLOTS.items())
    errors = f"<h3>Could not be played</h3>{notes(found['errors'])}" if found["errors"] else ""
    return f"<h2>As live streams</h2>{notes(said)}{body}{pictures}{errors}"


def genuine_table(genuine: Figures) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and rows: alarms of genuine clips, all and by dataset."""
    parts = {"all": genuine, **genuine["by_dataset"]}
    head = ("genuine clips", "clips", "hours", "coverage", *(f"{level} alarms per hour" for level in LEVELS))
    rows = [
        (
            name,
            str(part["clips"]),
            value(part["hours"], 2),
            share(part["coverage"]),
            *(
                f"{ranged(part['alarms'][level]['per_hour'], part['alarms'][level]['per_hour_ci95'], 1)} "
                f"({part['alarms'][level]['count']} in {part['alarms'][level]['clips']} clips)"
                for level in LEVELS
            ),
        )
        for name, part in parts.items()
    ]
    return head, list(rows)


def swap_table(swaps: Figures) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and rows: share caught and delays, all and by method, for each level."""
    head = ("swaps", "alarm", "streams", "alarming before", "caught", "median s", "p90 s", "clear: median s", "p90 s")
    rows = [
        (
            name,
            level,
            str(part["pairs"]),
            str(part[level]["alarmed_before"]),
            share_ranged(part[level]["share_caught"], part[level]["share_caught_ci95"]),
            *(value(part[level]["seconds"][key], 1) for key in ("median", "p90")),
            *(value(part[level]["clear_seconds"][key], 1) for key in ("median", "p90")),
        )
        for name, part in {"all": swaps, **swaps["by_method"]}.items()
        for level in LEVELS
    ]
    return head, list(rows)


def robustness_section(found: Figures, out: Path) -> str:
    """The grid, and whether genuine files stay genuine."""
    said = [
        f"The first {found['seconds']:.0f} s of every video, changed frame by frame, encoded and decoded for real. "
        "A face is only ever made smaller: files with a smaller one are left out of that row.",
        "Clean, same files: the AUC of the files of the row when they are not changed.",
        "Genuine doubted: genuine files called suspicious or manipulated. Shift: how far their mean log-odds moved "
        "from clean; a change of quality must not look like a forgery.",
    ]
    picture = figure(out / GRID_PLOT, "AUC under every condition, by branch and by dataset (fused)", 760)
    return f"<h2>Under bad conditions</h2>{notes(said)}{html_table(*robustness_table(found))}{picture}"


def robustness_table(found: Figures) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and rows: one row per condition."""
    main = found["method"]
    head = (
        "condition", "files", "coverage", "AUC", "clean, same files", "TPR at 5% FPR", "mean p genuine",
        "mean p fake", "genuine doubted", "shift",
    )  # fmt: skip
    rows = [
        (
            row["name"],
            str(row["n"]),
            share(row["coverage"]),
            ranged(row["auc"][main], row["auc_ci95"][main]),
            value(row["clean_same_files"]["auc"][main]),
            value(row["tpr_at_fpr"]["0.05"]),
            value(row["mean_p"]["genuine"], 2),
            value(row["mean_p"]["fake"], 2),
            share_ranged(row["genuine"]["doubted_share"], row["genuine"]["doubted_share_ci95"]),
            "-" if row["genuine"]["mean_logit_shift"] is None else f"{row['genuine']['mean_logit_shift']:+.2f}",
        )
        for row in found["conditions"]
    ]
    return head, list(rows)


def grid_values(found: Figures) -> tuple[list[str], list[str], list[list[float | None]]]:
    """Rows, columns and AUCs of the heat map."""
    names = [name for name in ("fusion", *BRANCHES) if any(row["auc"][name] is not None for row in found["conditions"])]
    by_dataset = [row["auc_by_dataset"] for row in found["conditions"]]
    datasets = sorted({name for part in by_dataset for name, auc in part.items() if auc is not None})
    values = [
        [*(row["auc"][name] for name in names), *(row["auc_by_dataset"].get(name) for name in datasets)]
        for row in found["conditions"]
    ]
    return [row["name"] for row in found["conditions"]], [*names, *datasets], values


def streams_text(found: Figures) -> list[str]:
    """The streams as lines for a terminal."""
    lines = text_table(*genuine_table(found["genuine"])) if found["genuine"]["clips"] else []
    return [*lines, "", *text_table(*swap_table(found["swaps"]))] if found["swaps"]["pairs"] else lines


def robustness_text(found: Figures) -> list[str]:
    """The grid as lines for a terminal."""
    return text_table(*robustness_table(found))
