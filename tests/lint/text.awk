# Rules about the text of one C++ file at a time. Variables: max_lines. Prints "file:line: what is wrong".
function fault(message) { printf "%s:%d: %s\n", FILENAME, FNR, message }
function finish() {
  if (last == "") return
  if (last_lines > max_lines) printf "%s:1: %d lines (limit %d): cut it in two\n", last, last_lines, max_lines
  if (last ~ /\.h$/ && !pragma) printf "%s:1: header without #pragma once\n", last
  if (last ~ /\.h$/ && !leading_comment) printf "%s:1: header does not start with a comment saying what it is\n", last
}
FNR == 1 {
  finish()
  last = FILENAME
  pragma = 0
  leading_comment = ($0 ~ /^\/\//)
  # Clocks and sleeping belong to the two folders that own threads and the outside world. The simulator's command times
  # its runs; what it runs has a clock of its own.
  outside = (FILENAME ~ /(^|\/)src\/(net|app)\//)
  clocks = (FILENAME ~ /(^|\/)sim\/main\.cc$/)
  test = (FILENAME ~ /(\/test_[a-z0-9_]*\.h|_test\.(cc|h)|_test_[a-z0-9_]*\.h|_(fixture|fakes|support)\.h)$/)
  product = (FILENAME ~ /(^|\/)(src|include|sim)\//)
}
{
  last_lines = FNR
  code = $0
  sub(/\/\/.*/, "", code)
  gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
}
/^#pragma once/ { pragma = 1 }
/\t/ { fault("tab") }
/[ \t\r]$/ { fault("space at the end of the line") }
/(^|[^A-Za-z_])(TODO|FIXME|XXX|HACK)([^A-Za-z_]|$)/ { fault("unfinished mark: finish it or write an issue") }
product && !outside {
  if (!test && !clocks && code ~ /_clock::now/) fault("reads a clock: time is an argument outside src/net and src/app")
  if (!test && code ~ /(^|[^a-z_.>])(gettimeofday|clock_gettime|timespec_get|time) *\( *(NULL|nullptr|0|&|CLOCK)/)
    fault("reads a clock: time is an argument outside src/net and src/app")
  if (code ~ /sleep_for|sleep_until|(^|[^a-z_])(usleep|nanosleep|sleep) *\(/) fault("sleeps: nothing outside src/net and src/app waits")
  if (code ~ /random_device|(^|return|::|[^A-Za-z_0-9 >&*]) *s?rand *\(/ || (!test && code ~ /(^|return|::|[^A-Za-z_0-9 >&*]) *(random *\( *\)|srandom *\()/))
    fault("randomness is an argument outside src/net and src/app")
  if (!test && code ~ /(^|[^a-z_])(secure_)?getenv *\(/) fault("getenv: the environment is an argument outside src/net and src/app")
}
product && !test && code ~ /^using namespace / { fault("using namespace at file scope") }
END { finish() }
