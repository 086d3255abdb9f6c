#!/usr/bin/env bash
# count_ctest.sh CTEST_OUTPUT GTEST_XML_DIR: prints "PASSED FAILED". A GoogleTest program counts its cases (from its XML
# report), anything else counts as one test; a program that failed without a failing case (crash, leak) adds one failure.
set -euo pipefail
output=$1 reports=$2
passed=0 failed=0
while read -r name status; do
  xml="$reports/${name}_test.xml"
  if [ -f "$xml" ]; then
    counts=$(grep -m1 -o '<testsuites [^>]*' "$xml")
    attribute() { sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<<"$counts"; }
    bad=$(( $(attribute failures) + $(attribute errors) ))
    passed=$(( passed + $(attribute tests) - $(attribute disabled) - bad ))
    if [ "$bad" = 0 ] && [ "$status" != Passed ]; then bad=1; fi
    failed=$(( failed + bad ))
  elif [ "$status" = Passed ]; then
    passed=$(( passed + 1 ))
  else
    failed=$(( failed + 1 ))
  fi
done < <(sed -n 's/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) [ .]*\(\**[A-Za-z]*\).*/\1 \2/p' "$output")
echo "$passed $failed"
