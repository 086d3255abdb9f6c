# Calls and words that STYLE.md bans, over C++ files. Before them one file of exceptions (known.txt): "word path number",
# how often a banned word stands in a file where it is known to be right. Prints "file:line: what is wrong".
function fault(message) { printf "%s:%d: %s\n", FILENAME, FNR, message }
# Counts a word that is right in few places only.
function counted(word, hint) {
  if (test) return
  if (++seen[word, FILENAME] == known[word, FILENAME] + 1)
    fault(word ": " hint (known[word, FILENAME] ? " (" known[word, FILENAME] " known here, in tests/lint/known.txt)" : ""))
}
FILENAME ~ /known\.txt$/ {
  if ($0 !~ /^#/ && NF == 3) known[$1, $2] = $3
  next
}
FNR == 1 {
  test = (FILENAME ~ /(\/test_[a-z0-9_]*\.h|_test\.(cc|h)|_test_[a-z0-9_]*\.h|_(fixture|fakes|support)\.h)$/)
  prints = (FILENAME ~ /(^|\/)(src\/app\/|sim\/(main|report|trace)\.cc$)/)   # the two commands
  product = (FILENAME ~ /(^|\/)(src|include|sim)\//)
  shipped = (FILENAME ~ /(^|\/)(src|include)\//)
  secrets = (FILENAME ~ /(^|\/)src\/(api|app|records)\// || FILENAME ~ /\/(hmac|lineage|identity)[a-z_]*\.(cc|h)$/)
  raw = 0
}
{
  code = $0
  # Texts of several lines hold no code.
  if (raw) {
    if (index(code, raw)) raw = 0
    next
  }
  if (match(code, /R"[A-Za-z_]*\(/)) {
    raw = ")" substr(code, RSTART + 2, RLENGTH - 3) "\""
    rest = substr(code, RSTART + RLENGTH)
    if (index(rest, raw)) raw = 0
    code = substr(code, 1, RSTART - 1)
  }
  gsub(/'(\\.|[^'\\])'/, "' '", code)
  gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
  sub(/\/\/.*/, "", code)
}
code ~ /(^|[^a-z_])(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|system|popen|alloca|tmpnam|tempnam|mktemp|longjmp) *\(/ {
  fault("banned call")
}
product && !test && code ~ /(^|[^a-z_])(ato(i|l|ll|f)|strto(l|ll|ul|ull|d|f|ld|imax|umax)) *\(/ {
  fault("banned call: it takes what is no number for one; use std::from_chars or base/strings.h")
}
code ~ /(^|[^a-z_])(localtime|gmtime|asctime|ctime|asctime_r|ctime_r) *\(/ { fault("banned call: not thread-safe; use base/time.h") }
code ~ /std::(basic_)?regex|<regex>/ { fault("std::regex: its time has no bound") }
code ~ /(^|[^a-z_A-Z])volatile([^a-z_A-Z]|$)/ && code !~ /(asm|__asm__) *volatile/ && product { fault("volatile orders nothing: use std::atomic") }
code ~ /catch *\( *\.\.\. *\)/ { fault("catch (...) hides what happened: name the exception") }
code ~ /(\.|->)detach *\( *\)/ { fault("detach(): who waits for that thread at the end?") }
code ~ /std::async/ { fault("std::async: threads belong to src/net") }
product && !test && code ~ /std::sto(i|l|ll|ul|ull|f|d|ld) *\(/ {
  fault("throws on bad input: use std::from_chars or base/strings.h")
}
product && !test && !prints && code ~ /std::cout|(^|[^a-z_])(std::)?(v?printf|puts|putchar) *\(|printf *\( *stdout/ {
  fault("writes to stdout: that is for src/app")
}
product && FILENAME !~ /src\/base\/mutex\.h$/ && code ~ /std::((recursive_|timed_|recursive_timed_|shared_|shared_timed_)?mutex|lock_guard|unique_lock|scoped_lock|shared_lock|condition_variable(_any)?)([^a-z_]|$)|<(mutex|shared_mutex|condition_variable)>/ {
  fault("std's locks tell the analysis nothing: use base/mutex.h")
}
secrets && !test && code ~ /(^|[^A-Za-z_])(std::)?(memcmp|strcmp|strncmp) *\(/ {
  counted("memcmp", "secrets are compared in constant time, by CRYPTO_memcmp")
}
shipped && code ~ /reinterpret_cast *</ { counted("reinterpret_cast", "is for bytes of known layout") }
shipped && code ~ /const_cast *</ { counted("const_cast", "what is const stays so") }
shipped && code ~ /(^|[^A-Za-z_0-9])new [A-Za-z_(:]|(^|[^A-Za-z_0-9])new *\(/ { counted("new", "ownership is a value or std::make_unique") }
shipped && code ~ /(^|[^A-Za-z_0-9])delete(\[\])? +[A-Za-z_*(]/ { counted("delete", "ownership is a value or std::unique_ptr") }
shipped && code ~ /(^|[^A-Za-z_0-9])throw([^A-Za-z_0-9]|$)/ { counted("throw", "what can fail returns a Result") }
