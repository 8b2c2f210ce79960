"""Put the measured figures into README, README.zh-CN and docs/sizes.md, and the pictures into docs/images.

Reads benchmarks/results; what stands between `<!-- NAME -->` and `<!-- /NAME -->` is replaced.
"""

import json
import re
import shutil
from pathlib import Path

from common import RESULTS, ROOT, RUNS


def result(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())


def put(path: Path, name: str, text: str) -> None:
    old = path.read_text(encoding="utf-8")
    new = re.sub(rf"(<!-- {name} -->\n?).*?(\n?<!-- /{name} -->)", lambda m: m[1] + text + m[2], old, flags=re.S)
    path.write_text(new, encoding="utf-8")


def share(runs: list[dict], key: str) -> str:
    values = [run["scores"][key] for run in runs]
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} – {high}"


def demo_sentences() -> tuple[str, str]:
    demo = result("demo_digits")
    runs, cores = demo["runs"], demo["circumstances"]["cores"]
    fd, agreement, floor = share(runs, "fd_share"), share(runs, "agreement"), runs[0]["floor"]["fd_share"]
    english = (
        f"{demo['minutes']:g} minutes on {cores} CPU cores, from {demo['protocol']['train']:,} real digits. Judged on "
        f"{demo['protocol']['held_out']:,} held-out digits, in the features of the shipped classifier, the Fréchet "
        f"distance is {fd} % of the features' total variance (real against real: {floor:.2f} %), and {agreement} % of "
        f"the samples are recognised as the digit that was asked for ({len(runs)} seed{'s' if len(runs) > 1 else ''})."
    )
    chinese = (
        f"在 {cores} 个 CPU 核上用 {demo['protocol']['train']:,} 个真实数字训练 {demo['minutes']:g} 分钟。以留出的 "
        f"{demo['protocol']['held_out']:,} 个数字为准，在随附分类器的特征空间中，Fréchet 距离为特征总方差的 {fd} %"
        f"（真实对真实：{floor:.2f} %），{agreement} % 的样本被识别为所要求的数字（{len(runs)} 个随机种子）。"
    )
    return english, chinese


def measured() -> tuple[str, str]:
    start, kill, memory = result("startup")["median"], result("kill_resume"), result("memory_pictures")
    large = memory_row(memory)
    rows = [
        ("`rivals --help`", "`rivals --help`", f"{start['help']} s"),
        (
            "`import rivals` on top of torch",
            "在 torch 之上 `import rivals`",
            f"{start['import_rivals_on_top_of_torch']} s",
        ),
        (
            "`rivals train digits`, from the command to the first step",
            "`rivals train digits`，从命令到第一步训练",
            f"{start['first_step_of_train_digits']} s",
        ),
        (
            f"`kill -9` at {kill['kills']} random moments, {kill['killed_while_writing']} of them inside a checkpoint",
            f"{kill['kills']} 次随机时刻的 `kill -9`（其中 {kill['killed_while_writing']} 次正在写检查点）",
            "same bytes / 字节相同" if kill["same_bytes"] else "differs",
        ),
        *large,
    ]
    english = "\n".join(["| what | measured |", "|---|---|", *(f"| {one} | {value} |" for one, _, value in rows)])
    chinese = "\n".join(["| 项目 | 实测 |", "|---|---|", *(f"| {two} | {value} |" for _, two, value in rows)])
    return english, chinese


def memory_row(memory: dict) -> list[tuple[str, str, str]]:
    few, many = (memory["details"][str(count)] for count in memory["counts"])
    told = " / ".join(f"{run['first']['megabytes'] - run['first']['before']:.0f} MB" for run in (few, many))
    counts = " / ".join(f"{count:,}" for count in memory["counts"])
    return [
        (
            f"memory of {counts} picture files, above the libraries' own",
            f"{counts} 个图片文件所占内存（不计库本身）",
            told,
        ),
        (
            f"second start with {memory['counts'][-1]:,} files",
            f"{memory['counts'][-1]:,} 个文件时的第二次启动",
            f"{many['second']['seconds']:.1f} s",
        ),
    ]


def sizes() -> str:
    lines = ["| networks | picture | size | width | generator / critic | memory | pictures/s |", "|---" * 7 + "|"]
    for row in result("sizes")["rows"]:
        sides = " / ".join(f"{row[side] / 1e6:.2f}M" for side in ("generator", "critic"))
        told = f"{row['side']}x{row['side']}x3 | {row['size']} | {row['width']} | {sides} | {row['memory_gb']:.2f} GB"
        lines.append(f"| {row['networks']} | {told} | {row['pictures_a_second']:.0f} |")
    return "\n".join(lines)


def quality() -> str:
    """What was measured of quality: digits and clothes by the minute, modes. What there is of it."""
    rows = []
    if (RESULTS / "quality_digits.json").exists():
        found = result("quality_digits")
        for row in found["rows"]:
            if "error" not in row:
                name = {"mnist": "digits (MNIST)", "fashion": "clothes (Fashion-MNIST)"}[row["data"]]
                floor = found["judged"][row["data"]]["floor"]
                told = f"{row['fd_share']:.2f} % (real: {floor:.2f} %) | {row['agreement']:.1f} %"
                rows.append(f"| {name}, 32x32, {row['minutes']:g} min | {told} |")
    table = ["| training | FD, of the variance | as asked for |", "|---|---|---|", *rows]
    return "\n".join([*table, *modes()])


def modes() -> list[str]:
    """How many modes of Stacked-MNIST were kept, as a table of its own; nothing where that was not measured."""
    if not (RESULTS / "modes_stacked.json").exists():
        return []
    found = result("modes_stacked")
    protocol = found["protocol"]
    head = f"Stacked-MNIST, no labels, {protocol['minutes']:g} min, {protocol['threads']} thread(s)"
    kept = [row for row in found["rows"] if "modes" in row]
    kept.append({"method": "real pictures", **protocol["real"]})
    rows = [f"| {row['method']} | {row['modes']} | {row['reverse_kl']:.3f} |" for row in kept]
    return ["", f"| {head} | modes of 1,000 | reverse KL |", "|---|---|---|", *rows]


def main() -> None:
    (ROOT / "docs" / "images").mkdir(parents=True, exist_ok=True)
    minutes = result("demo_digits")["minutes"]
    shutil.copy(RUNS / f"demo-{minutes:g}-0" / "pictures" / "final.png", ROOT / "docs" / "images" / "digits.png")
    (english, chinese), (table, table_zh) = demo_sentences(), measured()
    put(ROOT / "README.md", "demo", english)
    put(ROOT / "README.md", "measured", table)
    put(ROOT / "README.zh-CN.md", "demo", chinese)
    put(ROOT / "README.zh-CN.md", "measured", table_zh)
    put(ROOT / "docs" / "sizes.md", "sizes", sizes())
    for page in ("README.md", "README.zh-CN.md"):
        put(ROOT / page, "quality", quality())


if __name__ == "__main__":
    main()
