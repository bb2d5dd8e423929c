// Compiles a contract of the package with the solc of this folder and prints its artifact as JSON.
// Usage: node compile.mjs PATH_OF_SOL
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import solc from "solc";

const path = process.argv[2];
const file = basename(path);
const name = basename(path, ".sol");
const source = readFileSync(path, "utf8");

const settings = {
  evmVersion: "cancun", // the newest that every layer 2 in use runs
  metadata: { appendCBOR: false, bytecodeHash: "none" }, // the code, and so its address, depends on nothing else
  optimizer: { enabled: true, runs: 1000000 },
};
const input = {
  language: "Solidity",
  sources: { [file]: { content: source } },
  settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
if (output.errors?.length) {
  console.error(output.errors.map((error) => error.formattedMessage).join("\n"));
  process.exit(1);
}
const contract = output.contracts[file][name];
const artifact = {
  contract: name,
  abi: contract.abi,
  bytecode: contract.evm.bytecode.object,
  deployedBytecode: contract.evm.deployedBytecode.object,
  source_sha256: { [file]: createHash("sha256").update(source).digest("hex") },
  solc: solc.version(),
  settings,
};
console.log(JSON.stringify(artifact, null, 2));
