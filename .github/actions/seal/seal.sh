#!/usr/bin/env bash
# Seals an artifact, signs and publishes the seal as asked, and hands on where it is.
#
# Reads MLTRUST and PYTHON (of the install step) and the inputs, as INPUT_*. Private key and password go into files that
# nobody else may read and that are gone when the step ends; they are never arguments, and leave the environment
# before anything else is started.
set -euo pipefail
private_key="${INPUT_PRIVATE_KEY:-}" password="${INPUT_PASSWORD:-}"
unset INPUT_PRIVATE_KEY INPUT_PASSWORD
# shellcheck source=.github/actions/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/../step.sh"
secrets="$work/secrets"
trap 'rm -rf "$secrets"' EXIT

# secret NAME TEXT OPTION: give the option with a file that holds the text, unless there is none.
secret() {
  [[ -n $2 ]] || return 0
  (umask 077 && mkdir -p "$secrets" && printf '%s\n' "$2" >"$secrets/$1")
  arguments+=("$3=$secrets/$1")
}

# The ledger that is used where no anchor is named would be gone with the runner.
anchors() {
  lines "${INPUT_ANCHOR:-}"
  if [[ ${#found[@]} == 0 ]]; then
    arguments+=(--no-anchor)
  else
    each --anchor "$INPUT_ANCHOR"
  fi
}

summary() {
  printf '### Sealed\n\n'
  printf '    fingerprint  %s\n    seal         %s\n' "$fingerprint" "$seal" # indented: a block of code
} >>"$GITHUB_STEP_SUMMARY"

enter
[[ -n ${INPUT_ARTIFACT//[[:space:]]/} ]] || refuse "The input 'artifact' is empty."
secret key "$private_key" --key
secret password "$password" --password-file
anchors
one --output "${INPUT_OUTPUT:-}"
one --name "${INPUT_NAME:-}"
each --key "${INPUT_KEY:-}"
each --annotation "${INPUT_ANNOTATION:-}"
arguments+=(--format=json)
lines "${INPUT_OPTIONS:-}"
sealed() {
  "$MLTRUST" seal "${arguments[@]}" ${found[@]+"${found[@]}"} -- "${INPUT_ARTIFACT%$'\n'}" >"$work/sealed.json"
}
heard sealed

if [[ $code != 0 ]]; then
  explain "mltrust seal: not sealed (exit code $code)"
  exit "$code"
fi
seal="$(field "$work/sealed.json" seal)" || refuse "What was sealed cannot be told: look at the input 'options'."
case "$seal" in /* | ?:[/\\]*) ;; *) seal="$PWD/$seal" ;; esac
fingerprint="$(field "$work/sealed.json" suite):$(field "$work/sealed.json" fingerprint)"
output seal "$seal"
output fingerprint "$fingerprint"
output root "$(field "$work/sealed.json" root)"
output report "$work/sealed.json"
printf 'sealed: %s\n' "$fingerprint"
summary
