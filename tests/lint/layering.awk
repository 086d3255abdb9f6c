# Includes against the dependencies declared by weir_module() in CMakeLists.txt, and outside libraries against
# libraries.txt. Files: CMakeLists.txt, libraries.txt, then sources (paths as src/<folder>/…, include/weir/…, sim/…).
# Prints "file:line: what is wrong".
BEGIN {
  # Folders beside src/ may include all of it but these; nothing in src/ includes them.
  outer["sim"] = outer["fuzz"] = outer["prove"] = " net app "
  outer["bench"] = " app "
  outer["tests"] = " "
  headers_only = "base/mutex.h"   # needs no library, so that the engine, which is installed alone, may have it
  for (i = 1; i < ARGC; i++) given[ARGV[i]] = 1   # outer folders name their own files from themselves: "node.h"
}
function closure(name, from,   i, count, parts) {   # allowed[name, x] for everything reachable from `from`
  count = split(direct[from], parts, " ")
  for (i = 1; i <= count; i++)
    if (!((name, parts[i]) in allowed)) {
      allowed[name, parts[i]] = 1
      closure(name, parts[i])
    }
}
function close_all(   name) {
  for (name in direct) { allowed[name, name] = 1; closure(name, name) }
  closed = 1
}
FILENAME ~ /CMakeLists\.txt$/ {
  if ($0 ~ /^weir_module\(/) { module = $0; sub(/^weir_module\( */, "", module); sub(/[ )].*/, "", module); direct[module] = "" }
  if (module != "") {
    count = split($0, words, /[ ()]+/)
    for (i = 1; i <= count; i++)
      if (words[i] ~ /^weir_/ && words[i] != "weir_module" && words[i] != "weir_public_headers") {
        other = substr(words[i], 6)
        if (!(other in direct)) printf "CMakeLists.txt:%d: %s depends on %s, which is declared later or nowhere\n", FNR, module, other
        direct[module] = direct[module] " " other
      }
    if ($0 ~ /\)[ \t]*$/) module = ""
  }
  next
}
FILENAME ~ /libraries\.txt$/ {
  if ($0 !~ /^#/ && NF > 1) { prefix[++libraries] = $1; sub(/^[^ ]+ +/, ""); folders[libraries] = " " $0 " "; shown[libraries] = $0 }
  next
}
FNR == 1 {
  if (!closed) close_all()
  folder = FILENAME
  is_public = (folder ~ /(^|\/)include\/weir\//)
  is_outer = (folder !~ /(^|\/)src\// && !is_public)
  if (is_outer) sub(/^\.\//, "", folder)
  else sub(/^.*src\//, "", folder)
  sub(/\/.*/, "", folder)
  test = (FILENAME ~ /(\/test_[a-z0-9_]*\.h|_test\.(cc|h)|_test_[a-z0-9_]*\.h|_(fixture|fakes|support)\.h)$/)
  if (!is_public && !is_outer && !(folder in direct)) printf "%s:1: folder src/%s has no weir_module in CMakeLists.txt\n", FILENAME, folder
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
  path = $0
  sub(/^[^"]*"/, "", path)
  sub(/".*/, "", path)
  target = path
  sub(/\/.*/, "", target)
  if (is_outer && path !~ /\.\.\// && ((folder "/" path) in given)) next
  if (path !~ /\//) printf "%s:%d: include \"%s\" by folder: \"folder/%s\"\n", FILENAME, FNR, path, path
  else if (path ~ /\.\.\//) printf "%s:%d: include with ..: %s\n", FILENAME, FNR, path
  else if (target == "weir") next
  else if (is_public) printf "%s:%d: public header includes \"%s\": only weir/ and the standard library\n", FILENAME, FNR, path
  else if (path == headers_only || (is_outer && target == folder)) next
  else if (is_outer && (target in direct)) {
    if (index(outer[folder], " " target " "))
      printf "%s:%d: %s/ may not include src/%s: it has no threads, sockets or clocks\n", FILENAME, FNR, folder, target
  } else if (target in direct) {
    if (!((folder, target) in allowed)) printf "%s:%d: src/%s may not include src/%s (CMakeLists.txt)\n", FILENAME, FNR, folder, target
  } else printf "%s:%d: no folder src/%s\n", FILENAME, FNR, target
}
/^[ \t]*#[ \t]*include[ \t]*</ {
  path = $0
  sub(/^[^<]*</, "", path)
  sub(/>.*/, "", path)
  if (is_outer && folder != "sim") next
  for (i = 1; i <= libraries; i++) {
    if (index(path, prefix[i]) != 1) continue
    if (test && index(folders[i], " tests ")) continue
    if (is_public || !(index(folders[i], " " folder " ") || index(folders[i], " " FILENAME " ")))
      printf "%s:%d: <%s> is for %s only (tests/lint/libraries.txt)\n", FILENAME, FNR, path, shown[i]
  }
}
