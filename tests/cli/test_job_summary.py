"""`--format github`: annotations on stdout, and the summary of the job in the file that the runner names."""

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_the_summary_of_a_job(mltrust, model):
    summary = mltrust.cwd / "summary"
    summary.write_text("# before\n")
    set_ = {"GITHUB_STEP_SUMMARY": str(summary)}
    assert mltrust("verify", "model", env=set_).code == 0
    assert summary.read_text() == "# before\n", "only --format github writes it"
    done = mltrust("verify", "model", "--format", "github", env=set_)
    assert done.code == 0
    assert done.out == "::notice title=mltrust verified::VERIFIED: model\n"
    assert summary.read_text().startswith("# before\n## VERIFIED: `model`\n")
    (model / "config.json").write_text("{}")
    done = mltrust("verify", "model", "--format", "github", "--report", "markdown=told.md", env=set_)
    assert done.code == 1
    assert "::error file=model/config.json,line=1,title=mltrust change-truncated::" in done.out
    assert summary.read_text().endswith((mltrust.cwd / "told.md").read_text())
    assert mltrust("verify", "nothing", "--format", "github", env=set_).out.startswith(
        "::error title=mltrust no-report::"
    )
    assert "## NO REPORT" in summary.read_text()
    summary.write_bytes(b"x" * (2**20 - 300))
    assert mltrust("verify", "model", "--format", "github", env=set_).code == 1
    assert summary.stat().st_size <= 2**20
    assert summary.read_text().endswith("the rest is in the other formats.\n")
    assert mltrust("verify", "model", "--format", "github", env={"GITHUB_STEP_SUMMARY": "/proc/x"}).code == 3
