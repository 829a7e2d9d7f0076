"""The pages of the project, and the programs that they show."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def examples(page: str, language: str = "python") -> list[str]:
    """The programs in a page of the repository, from top to bottom."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
