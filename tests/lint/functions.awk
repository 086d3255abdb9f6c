# Functions longer than `limit` lines (C++), by counting braces outside comments, strings and characters.
# A block is a function if the statement before its brace has a parameter list and is not inside another function.
# Prints "file:line: function of N lines (limit M)".
function reset() { depth = 0; inside = 0; text = ""; start = 0; state = ""; delimiter = "" }
function is_function(s) {
  gsub(/template *<[^()]*>/, "", s)
  if (s ~ /(^|[^a-zA-Z_])(namespace|enum)([^a-zA-Z_]|$)/) return 0
  if (s ~ /^[ \t]*(class|struct|union)[^a-zA-Z_]/ && s !~ /\) *(const)? *(noexcept)? *(override)? *$/) return 0
  if (s ~ /= *$/) return 0
  return s ~ /\)/
}
FNR == 1 { reset() }
{
  line = $0
  n = length(line)
  if (state == "" && line ~ /^[ \t]*#/) { next }
  for (i = 1; i <= n; i++) {
    c = substr(line, i, 1)
    two = substr(line, i, 2)
    if (state == "comment") { if (two == "*/") { state = ""; i++ } continue }
    if (state == "raw") {
      if (substr(line, i, length(delimiter)) == delimiter) { i += length(delimiter) - 1; state = "" }
      continue
    }
    if (two == "//") break
    if (two == "/*") { state = "comment"; i++; continue }
    if (two == "R\"" && substr(line, i - 1, 1) !~ /[A-Za-z0-9_]/) {
      rest = substr(line, i + 2)
      open = index(rest, "(")
      if (open > 0) { delimiter = ")" substr(rest, 1, open - 1) "\""; state = "raw"; i += 1 + open; continue }
    }
    if (c == "\"" || (c == "'" && substr(line, i - 1, 1) !~ /[0-9a-fA-F]/)) {
      quote = c
      for (i++; i <= n; i++) {
        c = substr(line, i, 1)
        if (c == "\\") { i++; continue }
        if (c == quote) break
      }
      text = text " "
      continue
    }
    if (c == "{") {
      depth++
      if (!inside && is_function(text)) { inside = depth; begin = start ? start : FNR }
      text = ""; start = 0
    } else if (c == "}") {
      if (inside == depth) {
        lines = FNR - begin + 1
        if (lines > limit) printf "%s:%d: function of %d lines (limit %d)\n", FILENAME, begin, lines, limit
        inside = 0
      }
      depth--
      text = ""; start = 0
    } else if (c == ";" && text !~ /\([^)]*$/) {
      text = ""; start = 0
    } else {
      if (start == 0 && c !~ /[ \t]/) start = FNR
      text = text c
    }
  }
  text = text " "
}
