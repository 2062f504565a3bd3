#!/bin/bash
# Counts words. Parameters are lines that bash itself can read; JSON is printed for the result.
set -eu
source /dev/stdin

tr -cs '[:alpha:]' '\n' <<<"$text" | sort | uniq -c | sort -k1,1nr -k2 | head -n "$most" |
    awk '{ printf "%s\"%s\": %d", (NR == 1 ? "{\"words\": {" : ", "), $2, $1 } END { print "}}" }'
