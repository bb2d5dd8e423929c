# shellcheck shell=bash
# What the steps of both actions share; sourced, never run. It also runs in the bash 3.2 of macOS.
#
# Everything that comes from outside is data: inputs arrive in the environment and become elements of an array, always as
# --option=value, so that no value can be taken for an option; nothing is evaluated.
unset CDPATH
actions="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# What goes wrong here is no finding, which 1 would say.
set -E
trap 'exit 4' ERR

# Ends the step as a command line that makes no sense does. MESSAGE holds nothing that came from outside.
refuse() {
  printf '::error title=mltrust::%s\n' "$1"
  exit 2
}

# The arguments of mltrust, grown by the functions below.
arguments=()

# one OPTION VALUE: give the option, unless the value is empty.
one() {
  local value="${2%$'\n'}"
  [[ -z $value ]] || arguments+=("$1=$value")
}

# each OPTION LINES: give the option once for every line that is not blank; a PEM block counts as one line.
each() {
  lines "$2"
  local value
  for value in ${found[@]+"${found[@]}"}; do
    [[ $value != *"PRIVATE KEY"* ]] || refuse "A private key belongs into no input but 'private-key' of the seal action."
    arguments+=("$1=$value")
  done
}

# Sets found to the lines of TEXT that are not blank; a PEM block is one of them.
lines() {
  local line block=""
  found=()
  while IFS= read -r line || [[ -n $line ]]; do
    line="${line%$'\r'}"
    if [[ -n $block || $line == "-----BEGIN "* ]]; then
      block+="$line"$'\n'
      if [[ $line == "-----END "* ]]; then
        found+=("$block")
        block=""
      fi
    elif [[ $line =~ [^[:space:]] ]]; then
      found+=("$line")
    fi
  done <<<"$1"
  [[ -z $block ]] || refuse "A PEM block in an input has no end."
}

# heard COMMAND...: run it and set code to its exit code. While it runs, the runner takes nothing it prints for a
# command: file names may read like one. What it says on stderr follows on stdout, since the runner reads two streams in
# no particular order, and stays in $work/stderr.
heard() {
  local token
  token="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  # shellcheck disable=SC2034 # whoever sources this reads it
  code=0
  printf '::stop-commands::%s\n' "$token"
  # shellcheck disable=SC2034 # as above
  "$@" 2>"$work/stderr" || code=$?
  cat "$work/stderr"
  printf '\n::%s::\n' "$token"
}

# escaped TEXT: as the data of a command of the runner.
escaped() {
  local text="${1//[%]/%25}"
  text="${text//$'\r'/%0D}"
  printf '%s' "${text//$'\n'/%0A}"
}

# field FILE NAME: print the text that a JSON document has under NAME; fails unless it is there, and on one line.
field() {
  "$PYTHON" -I "$actions/field.py" "$1" "$2"
}

# output NAME VALUE: hand the value on; a value is never more than one line.
output() {
  case "$2" in *[$'\r\n']*) refuse "A path that has a line break cannot be handed on." ;; esac
  printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# Enters the folder of the input 'working-directory'.
enter() {
  local folder="${INPUT_WORKING_DIRECTORY:-.}"
  [[ $folder != - ]] || folder=./- # which would be the folder before
  cd -- "$folder" || refuse "The input 'working-directory' is no folder."
}

# explain TEXT: say in log and summary what became of it, and why.
explain() {
  local first
  first="$(grep -m 1 '^error: ' "$work/stderr" || true)"
  printf '::error title=mltrust::%s\n' "$(escaped "$1: ${first:-see the log}")"
  { printf '### %s\n\n' "$1" && sed 's/^/    /' "$work/stderr"; } >>"$GITHUB_STEP_SUMMARY" # indented: a block of code
}

work="$(mktemp -d "$RUNNER_TEMP/mltrust.XXXXXX")"
