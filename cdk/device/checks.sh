# What every doctor script begins with: one line per check, one verdict.
failed=0 warned=0
ok() { printf 'ok    %-14s %s\n' "$1" "$2"; }
warn() { printf 'warn  %-14s %s\n' "$1" "$2"; warned=$((warned + 1)); }
fail() { printf 'FAIL  %-14s %s\n' "$1" "$2"; failed=$((failed + 1)); }
verdict() {
  if [ "$failed" -gt 0 ]; then
    printf '%s\n' "NOT READY: $failed to fix, $warned to look at"
    exit 1
  elif [ "$warned" -gt 0 ]; then
    printf '%s\n' "READY ($warned to look at)"
  else
    printf '%s\n' READY
  fi
}
