"""Text for people: plain words first, colour as decoration, every outside name escaped."""

from collections.abc import Iterable, Iterator, Sequence

from rich.filesize import decimal

from mltrust.core.bundle import Bundle
from mltrust.core.changes import Difference
from mltrust.core.dsse import Signature
from mltrust.core.manifest import Entry
from mltrust.core.names import count, counted, printable, shown
from mltrust.core.receipt import Receipt
from mltrust.core.report import Check, CheckKind, Notice, Outcome, Recalled, Report, Verdict
from mltrust.renderers.changes import changes, share
from mltrust.renderers.rows import same_rows
from mltrust.renderers.styled import Text
from mltrust.statements.seal import SealPredicate, read_seal

_VERDICTS = {Verdict.VERIFIED: "bold green", Verdict.FAILED: "bold red", Verdict.INCONCLUSIVE: "bold yellow"}
OUTCOMES = {Outcome.PASS: ("ok", "green"), Outcome.FAIL: ("FAIL", "bold red"), Outcome.UNCHECKED: ("?", "yellow")}
MAX_LISTED = 50
"""How many of a kind are listed, unless all are asked for."""

_MARGIN = " " * 21


def report(found: Report, *, verbose: bool = False) -> Text:
    """Render a report: the verdict, each check, every difference, and what was not looked at."""
    return Text.lines(_report_lines(found, verbose=verbose))


def _report_lines(found: Report, *, verbose: bool) -> Iterator[Text]:
    yield Text.assemble((found.verdict.upper(), _VERDICTS[found.verdict]), f"  {shown(found.name)}")
    what = "root        " if found.suite == "oms" else "fingerprint "
    yield Text(f"  {what} {shown(found.suite)}:{found.fingerprint}", style="dim")
    for check in found.checks:
        yield from _check_lines(check, verbose=verbose)
        if check.kind is CheckKind.CONTENT:
            yield from changes(found.changes, indent=4, limit=None if verbose else MAX_LISTED)
    yield from notices(found.notices)
    yield from _not_reread(Recalled(found.scope.files_not_reread, found.scope.bytes_not_reread))
    yield from (
        Text(f"  not checked  {what}", style) for what, style in not_checked(found, None if verbose else MAX_LISTED)
    )


def said(check: Check) -> str:
    """Return what a check says in one line: its summary, and the state of an anchor that does not vouch."""
    state = f" [{check.state}]" if check.state and check.outcome is not Outcome.PASS else ""
    return f"{printable(check.summary)}{state}"


def _check_lines(check: Check, *, verbose: bool = False) -> Iterator[Text]:
    word, style = OUTCOMES[check.outcome]
    yield Text.assemble(f"  {check.kind:<12} ", (f"{word:<5}", style), f" {said(check)}")
    if check.kind is CheckKind.ANCHOR and check.state:
        level = f", resting on: {printable(check.level)}" if check.level else ""
        yield Text(f"{_MARGIN}by {shown(check.name)}{level}", style="dim")
    if check.kind is CheckKind.SIGNATURE and check.kinds and check.voice:
        kind, voice = check.kinds[0], shown(check.voice)
        yield Text(f"{_MARGIN}{voice if voice.startswith(kind) else f'{kind} {voice}'}", style="dim")
    if check.hint:
        yield Text(f"{_MARGIN}hint: {printable(check.hint)}", style="yellow")
    if check.evidence and not verbose:
        yield Text(f"{_MARGIN}the signed evidence: --verbose or --format json", style="yellow")
    for document in check.evidence if verbose else ():
        yield from (Text(f"{_MARGIN}| {printable(line)}") for line in document.splitlines())


def not_checked(found: Report, limit: int | None) -> Iterator[tuple[str, str]]:
    """Yield, in words and with the style it deserves, what a reader might believe was checked, and was not."""
    if found.scope.not_here:
        yield printable(found.scope.not_here), "yellow"
    whose = "bundle" if found.suite == "oms" else "seal"
    skipped = [shown(path) for path in found.scope.left_out]
    if skipped:
        listed = ", ".join(skipped[:limit])
        if limit is not None and len(skipped) > limit:
            listed += f" and {len(skipped) - limit} more (--verbose lists all)"
        yield f"left out by the {whose}'s rules: {listed}", "dim"
    if found.content_only:
        yield f"who vouches for the {whose} (--content-only)", "dim"


def _not_reread(recalled: Recalled) -> Iterator[Text]:
    if any(recalled):
        what = f"{count(recalled.files, 'file')} ({count(recalled.bytes, 'byte')})"
        yield Text(f"  not reread   {what}, unchanged since last read here", style="yellow")


def notices(found: Iterable[Notice]) -> Iterator[Text]:
    """Render what is worth knowing and proves nothing."""
    for notice in found:
        yield Text.assemble(("  note         ", "yellow"), f"{shown(notice.path)}: {printable(notice.message)}")


def sealed(
    bundle: Bundle,
    path: str,
    found: Iterable[Notice],
    elsewhere: Sequence[str],
    recalled: Recalled,
    *,
    why_sha256: str = "",
) -> Text:
    """Render what `seal` did; `elsewhere` are the anchors that hold their evidence, `recalled` is what was not read.

    `why_sha256` says why the SHA-256 of every file was recorded, if it was.
    """
    predicate = read_seal(bundle.statement)
    lines = [
        Text.assemble(("SEALED", "bold green"), f"  {shown(bundle.statement.subject[0].name)}  in {shown(path)}"),
        *_facts_of(predicate, why_sha256),
        *_not_reread(recalled),
        *(_signature_line(signature) for signature in bundle.signatures),
        *(_receipt_line(receipt) for receipt in bundle.receipts),
        *(Text(f"  published    {printable(name)}") for name in elsewhere),
        *notices(found),
    ]
    if not bundle.receipts and not elsewhere:
        lacking = "nobody says since when" if bundle.signatures else "nobody vouches for it yet"
        lines.append(Text(f"  not anchored: {lacking}", style="yellow"))
    return Text.lines(lines)


def _facts_of(predicate: SealPredicate, why_sha256: str = "") -> Iterator[Text]:
    totals = predicate.totals
    yield Text(f"  {counted(totals.files, totals.tensors, totals.records, decimal(totals.bytes))}")
    yield Text(f"  fingerprint  {predicate.suite}:{predicate.fingerprint().hex()}")
    yield Text(f"  root         {predicate.root}", style="dim")
    if predicate.content_root:
        yield Text(f"  content root {predicate.content_root}", style="dim")
    if predicate.sha256_root:
        why = f" ({why_sha256})" if why_sha256 else ""
        yield Text(f"  SHA-256      of every file is recorded, too{why}", style="dim")
    if predicate.supersedes:
        yield Text(f"  supersedes   {predicate.supersedes}", style="dim")


def signed(bundle: Bundle, path: str, added: Sequence[Signature]) -> Text:
    """Render what `sign` did: the signatures that were `added`, and what they are over."""
    predicate, name = read_seal(bundle.statement), shown(bundle.statement.subject[0].name)
    before = "" if added else ": nothing is added, those keys signed it before"
    lines = [
        Text.assemble(("SIGNED", "bold green"), f"  {name}  in {shown(path)}{before}"),
        Text(f"  fingerprint  {predicate.suite}:{predicate.fingerprint().hex()}"),
    ]
    return Text.lines([*lines, *(_signature_line(signature) for signature in added)])


def _signature_line(signature: Signature) -> Text:
    return Text(signature_line(signature))


def signature_line(signature: Signature) -> str:
    """Return what is told of a signature that was not checked: under which key id it stands."""
    certified = ", with a certificate" if signature.material else ""
    return f"  signature    {shown(signature.keyid[:200]) or '(no key id)'}{certified}"


def _receipt_line(receipt: Receipt) -> Text:
    when = f", not after {receipt.time.not_after}" if receipt.time.not_after else ""
    return Text(f"  receipt      {receipt.kind}{when}")


def receipts(bundle: Bundle, checks: Iterable[Check]) -> Text:
    """Render the receipts of a seal as they stand, then who vouches, since when, and what would make it stronger."""
    lines = [Text(f"statement {bundle.statement.digest()}"), *(_receipt_line(receipt) for receipt in bundle.receipts)]
    if not bundle.receipts:
        lines.append(Text("  no receipts"))
    return Text.lines([*lines, *(line for check in checks for line in _voucher_lines(check))])


def _voucher_lines(check: Check) -> Iterator[Text]:
    yield from _check_lines(check)
    if check.time and check.time.not_before:
        yield Text(f"{_MARGIN}not before: {check.time.not_before}", style="dim")
    if check.time and check.time.not_after:
        yield Text(f"{_MARGIN}not after:  {check.time.not_after}", style="dim")
    if check.stronger:
        yield Text(f"{_MARGIN}stronger:   {printable(check.stronger)}", style="dim")


def tree(bundle: Bundle, store: str = "", *, verbose: bool = False) -> Text:
    """Render a seal: what it states, every file, every tensor, and who signed and anchored it.

    `store` is the name of the record store beside it, if there is one. The SHA-256 of every file is shown if `verbose`.
    """
    return Text.lines(_tree_lines(bundle, store, verbose=verbose))


def _tree_lines(bundle: Bundle, store: str, *, verbose: bool) -> Iterator[Text]:
    predicate = read_seal(bundle.statement)
    yield Text(shown(bundle.statement.subject[0].name), style="bold")
    yield from _facts_of(predicate)
    for key, value in predicate.annotations.items():
        yield Text(f"  {shown(key)} = {shown(value)}")
    if store and predicate.totals.records:
        yield Text(f"  record store {shown(store)}", style="dim")
    for pattern in predicate.parameters.exclude:
        yield Text(f"  left out     {shown(pattern)}", style="dim")
    for entry in bundle.manifest.entries:
        yield from _entry_lines(entry, verbose=verbose)
    yield Text(f"  {count(len(bundle.signatures), 'signature')}, {count(len(bundle.receipts), 'receipt')}")
    yield from (_signature_line(signature) for signature in bundle.signatures)
    yield from (_receipt_line(receipt) for receipt in bundle.receipts)


def _entry_lines(entry: Entry, *, verbose: bool) -> Iterator[Text]:
    leaf = entry.leaf
    value = (leaf.digest or leaf.child_root).hex()
    yield Text.assemble(f"  {shown(leaf.name)}  ", (f"{leaf.kind}  {decimal(leaf.size)}  {value[:16]}", "dim"))
    if verbose and entry.sha256:
        yield Text(f"    sha256:{entry.sha256.hex()}", style="dim")
    for key, text in entry.metadata:
        yield Text(f"    {shown(key)} = {shown(text[:200])}", style="dim")
    if leaf.records is not None:
        blinded = "  blinded" if leaf.records.blinded else ""
        what = f"{count(leaf.child_size, 'record')}  {leaf.records.format}{blinded}  {leaf.child_root.hex()[:16]}"
        yield Text(f"    {what}", style="dim")
    for tensor in entry.tensors():
        shape = f"{shown(tensor.dtype)} {list(tensor.shape)}"
        facts = f"  {shape}  {decimal(tensor.size)}  {tensor.digest.hex()[:16]}"
        yield Text.assemble(f"    {shown(tensor.name)}", (facts, "dim"))


def difference(found: Difference, *, verbose: bool = False) -> Text:
    """Render a difference: what changed, then what stayed the same all the same."""
    limit = None if verbose else MAX_LISTED
    if not found.changes:
        return Text.assemble(("SAME", "bold green"), f"  {shown(found.before)} and {shown(found.after)}")
    part = f"{share(found.bytes_changed, found.bytes_total)} of {decimal(found.bytes_total)}"
    how = "" if found.measured else ", counted by whole tensors and files"
    lines = [
        Text.assemble(("DIFFERENT", "bold red"), f"  {shown(found.before)} and {shown(found.after)}"),
        *changes(found.changes, limit=limit),
        Text(f"  {count(len(found.changes), 'difference')}, {part}{how}"),
    ]
    if found.same_content:
        lines.append(Text("  same weights, other files: every tensor and all metadata are equal", style="green"))
    if (rows := same_rows(found)) is not None:
        lines.append(rows)
    return Text.lines(lines)
