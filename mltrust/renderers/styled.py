"""Text with styles, as data: the library that draws them is only loaded where a terminal shows them."""

from collections.abc import Iterable


class Text:
    """Spans of plain text, each with the style it is drawn in: `bold red`, `dim`, or "" for none."""

    __slots__ = ("spans",)

    def __init__(self, text: str, style: str = "") -> None:
        self.spans: tuple[tuple[str, str], ...] = ((text, style),)

    @classmethod
    def assemble(cls, *parts: str | tuple[str, str]) -> "Text":
        """Return one text made of several, each plain or with its style."""
        return cls._of((part, "") if isinstance(part, str) else part for part in parts)

    @classmethod
    def lines(cls, texts: Iterable["Text"]) -> "Text":
        """Return texts as the lines of one."""
        spans = [span for text in texts for span in (("\n", ""), *text.spans)]
        return cls._of(spans[1:])

    @classmethod
    def _of(cls, spans: Iterable[tuple[str, str]]) -> "Text":
        made = cls("")
        made.spans = tuple(spans)
        return made

    def __str__(self) -> str:
        return "".join(text for text, _ in self.spans)
