r"""Names that would take over a terminal, a page, a log or a CI run, and what to ask of a text that shows them."""

import re
import unicodedata
from collections.abc import Sequence

FILE_NAMES: Sequence[str] = (
    # Markup and control sequences of terminals.
    "[bold red]x[/bold red]",
    "[/]",
    "[link=http://evil]x[/link]",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http:evil\x1b\\link\x1b]8;;\x1b\\",
    "]8;;",
    "\x9b31mcsi",
    "\u202etxt.exe",
    "\u2066isolate\u2069",
    "zero\u200bwidth",
    # Lines, and what begins one.
    "line\nbreak",
    "carriage\rreturn",
    "\n::error::injected",
    "::error file=x::injected",
    "\n::set-output name=x::y",
    "##[error]x",
    "nel\x85x",
    "ls\u2028ps\u2029",
    "tab\tback\x08space\x7f",
    "tag\U000e0041",
    "\ufeffbom",
    "<script>alert(1)<!--script",
    "`backtick` $(id) ; rm -rf",
    "a\\x1b[31m",
    "soft\xadhyphen",
    "##vso[task.setvariable variable=x]y",
    "::stop-commands::x",
    " ::warning::y",
    "\r\n##[command]z",
    "##teamcity[message text='x']",
    "section_start:1:x\r\x1b[0Kx",
    "\x1b[8mha:x\x1b[0m",
    # What CI services decode.
    "%0A::error::decoded",
    "percent%25%0D%0Ay",
    "a,b:c=d;e",
    # HTML and XML.
    "<b>&amp;&lt;</b>",
    "\"><img src=x onerror='alert(1)'>",
    "</td></tr></table></script><svg onload=alert(1)>",
    "]]><!--",
    "<![CDATA[x]]>",
    "&#0;&#x1b;&nbsp;&xxe;",
    "--><!DOCTYPE x",
    "\ufffe\uffff noncharacters",
    "nul\x01\x1f controls",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}${x}",
    # Markdown, as GitHub reads it.
    "**bold** _em_ ~~del~~",
    "[x](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "[x]: http://evil.example",
    "a|b||c",
    "a\\|b",
    "trailing\\",
    "``` fence",
    "`",
    "``",
    "~~~",
    "# heading",
    "> quote",
    "- item",
    "1. item",
    "---",
    "<!-- comment",
    "<https://evil.example>",
    "https://evil.example/x",
    "www.evil.example",
    "someone@evil.example",
    "@someone @team/all",
    "#1 GH-1 owner/name#1",
    "a5c3785ed8d6a35868bc169f07e40e889087fd2e",
    ":tada: $x$ $`x`$",
    "[ ] todo [^1] [[wiki]]",
    # Tables of others, SQL, shells, messages with places to fill.
    "=cmd|'/c calc'!A1",
    "+1-2@SUM(1)",
    "-rf",
    "--help",
    "{0} {1} %s %(x)s",
    "$HOME $(id) `id` ;&|",
    "' OR 1=1 --",
    # Spaces, looks, lengths.
    " lead and trail ",
    "two  spaces",
    ".",
    "\u00a0\u3000wide",
    "\u0430pple (Cyrillic)",
    "e\u0301 combining \u0300\u0300\u0300",
    "größe-模型-🤗",
    "\u034f\u115f\u3164\u2800unseen\ufe0f",
    "\u2067rtl\u200f עברית",
    "\U000e0100\ue000\U0010fffd private",
    "x" * 255,
)
"""Names of files, as far as the file system takes them (`/` would be another folder); also of everything else."""

NAMES: Sequence[str] = (*FILE_NAMES, "", "\0", "lone \ud800 surrogate", "raw \udcff byte", "x" * 4096, "\x1b" * 4096)
"""Names of tensors, columns, keys and whatever documents say; the last ones are not even text in UTF-8."""

_COMMAND = re.compile(r"(?m)^[ \t]*::|##[A-Za-z.]*\[")


def hidden(text: str) -> Sequence[str]:
    r"""Return the characters but `\n` that a terminal would act on, or that nobody sees, sorted."""
    odd = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn")}
    return sorted(odd)


def commands(text: str) -> Sequence[str]:
    r"""Return what a CI service would obey: `::` where a line begins, `##[...` and `##vso[...` anywhere."""
    return _COMMAND.findall(text)
