#!/usr/bin/env bash
# Verifies an artifact once, hands on what was found, and ends with the exit code of mltrust.
#
# Reads MLTRUST and PYTHON (of the install step) and the inputs, as INPUT_*.
set -euo pipefail
# shellcheck source=.github/actions/step.sh
source "$(dirname "${BASH_SOURCE[0]}")/../step.sh"

reports() {
  local name
  for name in json sarif markdown github; do
    arguments+=("--report=$name=$work/report.$name")
  done
  lines "${INPUT_REPORTS:-}"
  for name in ${found[@]+"${found[@]}"}; do
    [[ $name =~ ^[a-z][a-z0-9-]*$ ]] || refuse "The input 'reports' holds names of formats, such as: html"
    case "$name" in
      json | sarif | markdown | github) ;;
      junit) arguments+=("--report=$name=$work/report.xml") ;;
      *) arguments+=("--report=$name=$work/report.$name") ;;
    esac
  done
}

# A path counts from the working directory, but where code scanning and annotations look for a file counts from the
# workspace: elsewhere, the path is made absolute, which both understand.
artifact() {
  [[ -n ${INPUT_ARTIFACT//[[:space:]]/} ]] || refuse "The input 'artifact' is empty."
  artifact="${INPUT_ARTIFACT%$'\n'}"
  case "$artifact" in /* | ?:[/\\]* | *://*) return ;; esac
  [[ ${INPUT_WORKING_DIRECTORY:-.} == . ]] || artifact="$PWD/$artifact"
}

hand_on() {
  local name suite fingerprint root
  output exit-code "$code"
  output verdict "$verdict"
  output report-directory "$work"
  for name in json sarif markdown; do
    [[ ! -f $work/report.$name ]] || output "$name" "$work/report.$name"
  done
  if suite="$(field "$work/report.json" suite)" && fingerprint="$(field "$work/report.json" fingerprint)"; then
    output fingerprint "$suite:$fingerprint"
  fi
  if root="$(field "$work/report.json" root)"; then
    output root "$root"
  fi
}

# GitHub takes 1 MiB of a step, or nothing. Only whole lines are kept: half of one would not be escaped as the whole is.
summary() {
  if (($(wc -c <"$1") <= 1000000)); then
    cat "$1"
  else
    head -c 1000000 "$1" | sed '$d'
    printf '\nThe summary is too long: the rest is in the reports.\n'
  fi
}

[[ ${INPUT_UPLOAD_SARIF:-} =~ ^(true|false)$ ]] || refuse "The input 'upload-sarif' is true or false."
enter
artifact
reports
one --seal "${INPUT_SEAL:-}"
each --key "${INPUT_KEY:-}"
each --anchor "${INPUT_ANCHOR:-}"
one --fingerprint "${INPUT_FINGERPRINT:-}"
one --identity "${INPUT_IDENTITY:-}"
one --issuer "${INPUT_ISSUER:-}"
one --policy "${INPUT_POLICY:-}"
lines "${INPUT_OPTIONS:-}"
heard "$MLTRUST" verify "${arguments[@]}" ${found[@]+"${found[@]}"} -- "$artifact"

case "$code" in
  0) verdict=verified ;;
  1) verdict=failed ;;
  3) verdict=inconclusive ;;
  *) verdict=error ;;
esac
# An option such as --help ends with 0 and verifies nothing: only a report that says so is a yes.
if [[ $code == 0 && "$(field "$work/report.json" verdict || true)" != verified ]]; then
  code=2 verdict=error
  echo "error: nothing was verified: look at the input 'options'" >>"$work/stderr"
fi
hand_on
if [[ -f $work/report.github && -f $work/report.markdown ]]; then
  cat "$work/report.github"
  summary "$work/report.markdown" >>"$GITHUB_STEP_SUMMARY"
else
  explain "mltrust verify: $verdict (exit code $code)"
fi
exit "$code"
