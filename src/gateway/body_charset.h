// The charset that a request says its body has. Bodies are read as UTF-8 here, and a server behind may go by what the
// header says: in UTF-7 a quote hides inside a string, and another tool or model is called than the one that was
// judged.
//
//   if (!says_utf8(head.headers)) refuse(415, …);
//
// Pure.
#pragma once

#include "gateway/http1.h"

namespace weir {

// False if any Content-Type names another charset than UTF-8 (or ASCII), or there is more than one Content-Type.
bool says_utf8(const Headers& headers);

}  // namespace weir
