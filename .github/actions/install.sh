#!/usr/bin/env bash
# Installs mltrust into an environment of its own, and tells the steps that follow where it is.
#
# Reads INPUT_VERSION (empty: the source this action came with; none: what is on PATH; else a version from the package
# index that pip uses) and INPUT_EXTRAS. Python is the runner's, started isolated (-I): modules that lie in the
# working folder, which may hold what is to be verified, are never imported.
set -euo pipefail
# shellcheck source=.github/actions/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/step.sh"

find_python() {
  local candidate
  for candidate in python3 python; do
    if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python="$(command -v "$candidate")"
      return
    fi
  done
  refuse "There is no Python 3.11 or newer on this runner: set one up in a step before this one."
}

# Prints what pip is to install.
requirement() {
  local extras=""
  [[ -z ${INPUT_EXTRAS:-} ]] || extras="[$INPUT_EXTRAS]"
  if [[ -z ${INPUT_VERSION:-} ]]; then
    printf '%s' "$(cd "$actions/../.." && pwd)$extras"
  else
    printf 'mltrust%s==%s' "$extras" "$INPUT_VERSION"
  fi
}

install_into() {
  local folder="$1" wanted="$2"
  if [[ -f $folder/requirement && "$(<"$folder/requirement")" == "$wanted" ]]; then
    return # by another of these actions in the same job
  fi
  "$python" -I -m venv --clear "$folder" || give_up
  executables "$folder"
  "$bin/python" -I -m pip --disable-pip-version-check --no-input --quiet install "$wanted" || give_up
  printf '%s' "$wanted" >"$folder/requirement"
}

give_up() {
  echo "::error title=mltrust::mltrust could not be installed: see the log."
  exit 3
}

executables() {
  bin="$1/bin"
  [[ ! -d $1/Scripts ]] || bin="$1/Scripts" # on Windows
}

[[ ${INPUT_EXTRAS:-} =~ ^[a-z0-9,]*$ ]] || refuse "The input 'extras' is a list such as: remote,sigstore"
[[ ${INPUT_VERSION:-} =~ ^(none|[0-9][0-9a-z.+]*)?$ ]] || refuse "The input 'version' is empty, none, or a version."

find_python
if [[ ${INPUT_VERSION:-} == none ]]; then
  mltrust="$(command -v mltrust)" || refuse "The input 'version' is none, and there is no mltrust on PATH."
else
  folder="$RUNNER_TEMP/mltrust-environment"
  install_into "$folder" "$(requirement)"
  executables "$folder"
  mltrust="$bin/mltrust"
fi
"$mltrust" --version
printf 'python=%s\nmltrust=%s\n' "$python" "$mltrust" >>"$GITHUB_OUTPUT"
