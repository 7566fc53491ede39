"""The code of the page on estimators runs, in the page's order."""

import re
import runpy
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"


def test_the_page_on_estimators_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")

    said = runpy.run_path(str(script))

    printed = capsys.readouterr().out
    headings = ["Kaplan-Meier", "Log-rank", "Cox model", "Gray's test", "Fine-Gray model", "MMRM", "Time from"]
    headings += ["Mean among those alive", "Joint model", "Score at baseline", "Q-TWiST", "Quality-adjusted survival"]
    for heading in [*headings, "Reference-based imputation"]:
        assert heading in printed
    assert said["constrained"].contrasts("arm", by="visit").loc["M0", "estimate"] == 0
