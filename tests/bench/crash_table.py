"""The tables of tests/bench/crash."""

import statistics

from crash_found import DISK_S, HELD_S


def rows_of(cases: list) -> dict:
    """Cases by what makes a row."""
    rows = {}
    for case in sorted(cases, key=lambda c: (c["load"], c["recorder"] != "lockstep", c["where"])):
        rows.setdefault((case["load"], case["recorder"], case["where"]), []).append(case)
    for name in ("lockstep", "labrecorder"):
        mine = [case for case in cases if case["recorder"] == name]
        if mine:
            rows[("every load", name, "")] = mine
    return rows


def share(cases: list, holds) -> str:
    return f"{sum(map(bool, map(holds, cases)))}/{len(cases)}"


def line(cells, widths) -> str:
    """The first three to the left, the others to the right."""
    return "| " + " | ".join(f"{c:<{w}}" if k < 3 else f"{c:>{w}}" for k, (c, w) in enumerate(zip(cells, widths))) + " |"


def show(heads: list, rows: list, tell):
    """A table of texts."""
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    tell(line(heads, widths))
    tell("|" + "|".join(f":{'-' * (w + 1)}" if k < 3 else f"{'-' * (w + 1)}:" for k, w in enumerate(widths)) + "|")
    for row in rows:
        tell(line(row, widths))


def table(cases: list, recovers: bool, tell):
    """What kills cost."""
    heads = ["load", "recorder", "file in", "kills", "lost ms: median", "worst", f"> {1e3 * HELD_S:.0f} ms", "samples lost"]
    heads += ["kept", "holes", "pyxdf opens", "recover", "footers", "same samples"]
    rows = []
    for (load, recorder, where), of in rows_of(cases).items():
        lost_ms = [1e3 * case["lost_s"] for case in of]
        row = [load, recorder, where, str(len(of)), f"{statistics.median(lost_ms):.0f}", f"{max(lost_ms):.0f}"]
        row += [share(of, lambda c: c["lost_s"] > HELD_S), str(sum(c["lost"] for c in of)), str(sum(c["kept"] for c in of))]
        row += [str(sum(len(c["wrong"]) for c in of)), share(of, lambda c: c["error"] is None)]
        if recovers:
            row.append(share(of, lambda c: c["recovered"]["code"] in (0, 3)))
            row += [share(of, lambda c: c["recovered"][key]) for key in ("footers", "good")]
        else:
            row += ["-"] * 3
        rows.append(row)
    show(heads, rows, tell)


def sync_table(rows: list, tell):
    """What power cuts cost."""
    heads = ["load", "case", "left", "cuts", "lost ms: median", "worst", f"> {1e3 * DISK_S:.0f} ms", "> that + sync"]
    heads += ["syncs", "sync ms: median", "worst", "holes", "pyxdf opens", "recover", "same samples"]
    texts = []
    for row in rows:
        of = row["cuts"]
        lost_ms = [1e3 * cut["lost_s"] for cut in of]
        syncs_ms = [1e3 * s for s in row["syncs_s"]]
        text = [row["load"], "power cut", row["left"], str(len(of)), f"{statistics.median(lost_ms):.0f}", f"{max(lost_ms):.0f}"]
        text += [share(of, lambda c: c["lost_s"] > DISK_S), share(of, lambda c: c["lost_s"] > DISK_S + c["sync_s"])]
        text += [str(len(syncs_ms)), f"{statistics.median(syncs_ms):.1f}", f"{max(syncs_ms):.1f}"]
        text += [str(sum(len(c["wrong"]) for c in of)), share(of, lambda c: c["error"] is None)]
        if of[0]["recovered"]:
            text += [share(of, lambda c: c["recovered"]["code"] in (0, 3)), share(of, lambda c: c["recovered"]["good"])]
        else:
            text += ["-", "-"]
        texts.append(text)
    show(heads, texts, tell)
