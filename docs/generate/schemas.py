"""The JSON Schemas, from the models that read and write the documents."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from mltrust.anchors.ethereum.proof.evidence import Evidence as EthereumEvidence
from mltrust.anchors.ethereum.sending.journal import Purpose, Stage
from mltrust.anchors.git_notes.receipts import Evidence as NoteEvidence
from mltrust.anchors.git_notes.record import Record
from mltrust.anchors.ledger.anchored import AnchoredDocument
from mltrust.anchors.ledger.entry import TYPE
from mltrust.anchors.ledger.evidence import Evidence
from mltrust.anchors.rfc3161.evidence import Evidence as TimeStampEvidence
from mltrust.core.bundle import BundleDocument
from mltrust.core.changes import Difference
from mltrust.core.dsse import Signature
from mltrust.core.model import Document
from mltrust.core.proof import Proof
from mltrust.core.receipt import Receipt, Time
from mltrust.core.report import Check, Notice, Report, Verdict
from mltrust.core.revocations import Revocation, RevocationsDocument
from mltrust.core.rows import ROW_KEYS
from mltrust.core.statement import Hex256, Statement
from mltrust.registry import KINDS
from mltrust.statements.erasure import PREDICATE_TYPE as ERASURE_TYPE
from mltrust.statements.erasure import ErasurePredicate, ErasuresDocument
from mltrust.statements.seal import PREDICATE_TYPE, SealPredicate, Totals

Json = dict[str, Any]
Scalar = bool | int | str | None
DigestText = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]


def schemas() -> dict[str, Json]:
    """Return every schema by name."""
    entry = {"digest": (DigestText, ...), "time": (Time, ...)}
    totals, hash_or_null = (Totals, ...), (Hex256 | None, ...)
    receipts, notices = (list[Receipt], ...), (list[Notice], ...)
    log_entry = _model("LogEntry", index=(int, ...), **entry)
    transaction = _model(
        "Transaction", anchor=(str, ...), chain_id=(int, ...), sender=(str, ...), nonce=(int, ...),
        purpose=(Purpose, ...), stage=(Stage, ...), digests=(int, ...), transactions=(list[str], ...),
        paid_wei=(str | None, ...),
    )  # fmt: skip
    part = _model("KeyPart", kind=(str, ...), id=(DigestText, ...))
    key = _model("Key", comment=(str, ...), kind=(str, ...), parts=(list[part], ...), pem=(str, ...))  # type: ignore[valid-type]  # made at run time
    signed = _model(
        "SignedSeal", seal=(str, ...), name=(str, ...), fingerprint=(Hex256, ...), statement=(DigestText, ...),
        signatures=(list[Signature], ...), added=(list[str], ...),
    )  # fmt: skip
    published = _model(
        "PublishedSeal", seal=(str, ...), name=(str, ...), statement=(DigestText, ...), receipts=receipts
    )
    pinned = _model("AnchoredSize", size=(int | None, ...), check=(Check, ...))
    file = _model("ConfigurationFile", what=(str, ...), path=(str, ...), found=(bool, ...))
    setting = _model(
        "Setting", name=(str, ...), value=(Scalar | list[Scalar], ...), hidden=(bool, ...),
        origin=(Literal["default", "environment", "file"], ...), variable=(str | None, ...), file=(str | None, ...),
    )  # fmt: skip
    plug = _model(
        "Plug", kind=(Literal[KINDS], ...), name=(str, ...), target=(str, ...), distribution=(str, ...),  # type: ignore[valid-type]  # a constant
        version=(str, ...), extras=(list[str], ...), missing=(list[str], ...), claimed_by=(list[str], ...),
        loads=(bool | None, ...), trouble=(str | None, ...),
    )  # fmt: skip
    found = {
        "statement": _schema(Statement, "An in-toto Statement v1 about one subject"),
        "seal-predicate": _schema(SealPredicate, f"The predicate of a statement of type {PREDICATE_TYPE}"),
        "seal": _seal(),
        "proof": _with_predicate(_schema(Proof, "A proof file (application/vnd.mltrust.proof.v1+json)")),
        "erasure-predicate": _schema(
            ErasurePredicate, f"The predicate of a statement of type {ERASURE_TYPE}"
        ),
        "erasures": _with_predicate(
            _schema(ErasuresDocument, "A file of tombstones (application/vnd.mltrust.erasures.v1+json)"),
            ErasurePredicate, ERASURE_TYPE,
        ),
        "ledger-entry": _schema(
            _model("LedgerEntry", type=(Literal["mltrust/ledger-entry/1"], ...), **entry), "One line of a ledger"
        ),
        "ledger-evidence": _evidence(Evidence, "ledger"),
        "git-notes-record": _schema(Record, "One record of git notes: a line of a note"),
        "git-notes-evidence": _evidence(NoteEvidence, "git-notes"),
        "ethereum-evidence": _of_one_mode(_evidence(EthereumEvidence, "ethereum")),
        "rfc3161-evidence": _evidence(TimeStampEvidence, "rfc3161"),
        "report": _result("report", "What verify and check found", base=Report),
        "diff": _result("diff", "What diff found", base=Difference),
        "trouble": _result(
            "trouble", "Why verify or diff has nothing to report",
            error=(str, ...), hint=(str | None, ...), exit_code=(int | None, ...),
        ),
        "sealed": _result(
            "sealed", "What seal did",
            seal=(str, ...), record_store=(str | None, ...), salts=(str | None, ...), oms=(str | None, ...),
            name=(str, ...), fingerprint=(Hex256, ...), statement=entry["digest"], suite=(str, ...),
            root=(Hex256, ...), content_root=hash_or_null, totals=totals, supersedes=(DigestText | None, ...),
            sha256_root=hash_or_null,
            files_not_reread=(int, ...), bytes_not_reread=(int, ...),
            signatures=(list[Signature], ...), receipts=receipts, published=(list[str], ...), notices=notices,
        ),
        "signed": _result("signed", "What sign did", seals=(list[signed], ...)),  # type: ignore[valid-type]  # made at run time
        "card": _result(
            "card", "What card says of a seal",
            name=(str | None, ...), fingerprint=(str | None, ...), statement=(DigestText | None, ...),
            signatures=(list[str], ...), receipts=(list[str], ...), front_matter=(str, ...), markdown=(str, ...),
        ),
        "revocations": _schema(
            RevocationsDocument, "A list of revoked keys (application/vnd.mltrust.revocations.v1+json)"
        ),
        "revoked": _result("revoked", "What key revoke did", list=(str, ...), revocations=(list[Revocation], ...)),
        "erased": _result(
            "erased", "What erase did",
            tombstone=entry["digest"], file=(str, ...), records=(list[Annotated[int, Field(ge=1)]], ...),
            signatures=(list[Signature], ...), published=(list[str], ...), already_erased=(bool, ...),
        ),
        "fingerprint": _result(
            "fingerprint", "A fingerprint and what it is made of",
            suite=(str, ...), fingerprint=(Hex256, ...), root=(Hex256, ...), content_root=hash_or_null, totals=totals,
        ),
        "keys": _result("keys", "What key show knows of public keys", keys=(list[key], ...)),  # type: ignore[valid-type]  # made at run time
        "receipts": _result(
            "receipts", "What the receipts of a seal claim, and what trusted anchors say of them",
            statement=entry["digest"], receipts=receipts, checks=(list[Check], ...),
        ),
        "ledger-log": _result("ledger-log", "The entries of a ledger", entries=(list[log_entry], ...)),  # type: ignore[valid-type]  # made at run time
        "ledger-status": _result(
            "ledger-status", "What ledger check found",
            ledger=(str, ...), origin=(str, ...), key=(str, ...), size=(int, ...), root=(Hex256, ...),
            unsigned=(int, ...), remembered_size=(int | None, ...), witnessed_size=(int | None, ...),
            anchored=(list[pinned], ...),  # type: ignore[valid-type]  # made at run time
        ),
        "ledger-anchored": _result(
            "ledger-anchored", "What ledger checkpoint --anchor did",
            ledger=(str, ...), size=(int, ...), checkpoint=(str, ...), digest=(DigestText, ...),
            kept=(str | None, ...), check=(Check, ...),
        ),
        "ethereum-status": _result(
            "ethereum-status", "The transactions that were sent from here",
            transactions=(list[transaction], ...),  # type: ignore[valid-type]  # made at run time
        ),
        "ethereum-resumed": _result(
            "ethereum-resumed", "What ethereum resume did",
            transactions=(list[transaction], ...), waiting=(int, ...),  # type: ignore[valid-type]  # made at run time
        ),
        "ethereum-deployed": _result(
            "ethereum-deployed", "What ethereum deploy did",
            anchor=(str, ...), contract=(str, ...), transaction=(str | None, ...),
        ),
        "published": _result("published", "What anchor did", anchor=(str, ...), seals=(list[published], ...)),  # type: ignore[valid-type]  # made at run time
        "key-made": _result(
            "key-made", "What key generate did",
            key=(key, ...), private_key_file=(str, ...), public_key_file=(str, ...),
        ),
        "ledger-checkpoint": _result(
            "ledger-checkpoint", "The signed checkpoint of a ledger, and its key",
            ledger=(str, ...), key=(str, ...), origin=(str, ...), size=(int, ...), root=(Hex256, ...),
            checkpoint=(str, ...),
        ),
        "ledger-exported": _result("ledger-exported", "What ledger export did", ledger=(str, ...), folder=(str, ...)),
        "ledger-witness": _result(
            "ledger-witness", "What ledger witness did",
            ledger=(str, ...), witnesses=(list[str], ...), checkpoint=(str | None, ...), kept=(bool, ...),
        ),
        "configuration": _result(
            "configuration", "What config show shows: the files that were looked for, and every value with its origin",
            files=(list[file], ...), settings=(list[setting], ...),  # type: ignore[valid-type]  # made at run time
        ),
        "plugins": _result("plugins", "The plugs that are installed", plugins=(list[plug], ...)),  # type: ignore[valid-type]  # made at run time
        "anchored-checkpoint": _schema(
            AnchoredDocument, "A checkpoint of a ledger that was published elsewhere, with receipts"
        ),
    }  # fmt: skip
    assert TYPE == "mltrust/ledger-entry/1"  # noqa: S101  # what the schema above says
    return {name: _headed(name, schema) for name, schema in found.items()}


def _model(model_name: str, **fields: Any) -> type[BaseModel]:  # noqa: ANN401  # fields of any type
    model: type[BaseModel] = create_model(model_name, __base__=Document, **fields)
    model.__doc__ = None
    return model


def _result(kind: str, title: str, base: type[BaseModel] = Document, **fields: Any) -> Json:  # noqa: ANN401  # fields of any type
    """Return the schema of a result on stdout: `mediaType` and the fields."""
    media_type = f"application/vnd.mltrust.{kind}.v1+json"
    schema = _schema(base if base is not Document else _model(kind, **fields), f"{title} ({media_type})")
    first: Json = {"mediaType": {"const": media_type, "type": "string"}}
    if base is Report:
        first["verdict"] = {"enum": [verdict.value for verdict in Verdict], "type": "string"}
    schema["properties"] = {**first, **schema["properties"]}
    schema["required"] = [*first, *schema["required"]]
    return schema


def _schema(model: type[BaseModel], title: str) -> Json:
    """Return the schema of a document in which every key stands, whatever its default, but those that are spare."""
    schema = model.model_json_schema(by_alias=True, mode="serialization")
    for each in (schema, *schema.get("$defs", {}).values()):
        if "properties" in each:
            each["required"] = [key for key, value in each["properties"].items() if not value.pop("spare", False)]
    schema["title"] = title
    return schema


def _evidence(model: type[BaseModel], kind: str) -> Json:
    return _schema(model, f"The evidence in a receipt of kind {kind}")


def _of_one_mode(schema: Json) -> Json:
    """Say of Ethereum's evidence that an event has a contract and an index, and calldata neither."""
    modes = {"event": ("string", "integer"), "calldata": ("null", "null")}
    schema["oneOf"] = [
        {
            "properties": {
                "mode": {"const": mode},
                "contract": {"type": contract},
                "receipt": {"properties": {"log_index": {"type": index}}},
            }
        }
        for mode, (contract, index) in modes.items()
    ]
    return schema


def _seal() -> Json:
    """Return the schema of the seal file; keys of its rows that have no value are left out there."""
    media_type = "application/vnd.mltrust.seal.v1+json"
    schema = _with_predicate(_schema(BundleDocument, f"A seal file ({media_type})"))
    given = BundleDocument.model_json_schema(by_alias=True)["$defs"]
    for row in ("EntryDocument", "PartDocument"):
        schema["$defs"][row] = given[row]
        for name, field in given[row]["properties"].items():
            field.pop("default", None)
            if "anyOf" in field:
                (given[row]["properties"][name],) = (each for each in field["anyOf"] if each != {"type": "null"})
    schema["$defs"]["EntryDocument"]["properties"]["metadata"]["minProperties"] = 1
    ways = [(kind, needed, optional) for kind, several in ROW_KEYS.items() for needed, optional in several]
    every = set().union(*(needed | optional for _, needed, optional in ways))
    schema["$defs"]["EntryDocument"]["oneOf"] = [
        _rule(kind, sorted(needed), sorted(every - needed - optional)) for kind, needed, optional in ways
    ]
    of_tensors = ["name", "dtype", "shape"]
    schema["$defs"]["PartDocument"]["oneOf"] = [_rule("st-header", [], of_tensors), _rule("tensor", of_tensors, [])]
    return schema


def _rule(kind: str, needed: list[str], refused: list[str]) -> Json:
    rule: Json = {"properties": {"kind": {"const": kind}, **dict.fromkeys(refused, False)}}
    return {**rule, "required": needed} if needed else rule


def _with_predicate(schema: Json, model: type[BaseModel] = SealPredicate, type_: str = PREDICATE_TYPE) -> Json:
    """Say of the statement in `schema` that it has this predicate: a seal's, if not another is given."""
    predicate = _schema(model, model.__name__)
    schema["$defs"] = {**schema["$defs"], **predicate.pop("$defs"), model.__name__: predicate}
    statement = schema["$defs"]["Statement"]["properties"]
    statement["predicate"] = {"$ref": f"#/$defs/{model.__name__}"}
    statement["predicateType"] = {"const": type_, "type": "string"}
    return schema


def _headed(name: str, schema: Json) -> Json:
    """Put first what a reader looks for first, and leave out what pydantic makes up."""
    title = schema.pop("title")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"https://mltrust/schemas/{name}/v1"}
    plain: Json = _plain(schema)
    return {**head, "title": title, **plain}


def _plain(value: Any, *, names: bool = False) -> Any:  # noqa: ANN401  # any JSON
    """Drop what differs between versions of pydantic or says nothing; sort definitions; unwrap descriptions."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    found: Json = {}
    for key in sorted(value) if names and all(isinstance(each, dict) for each in value.values()) else value:
        each = value[key]
        if not names and key in ("title", "default", "propertyNames"):
            continue
        if not names and key == "enum" and "const" in value:
            continue
        if not names and key == "description":
            found[key] = re.sub(r"\s+", " ", each.replace("`", "")).strip()
        elif not names and key == "properties":
            found[key] = {name: _plain(field) for name, field in each.items()}
        else:
            found[key] = _plain(each, names=key == "$defs" and not names)
    return found
