// The dashboard: files that the build compressed and embedded (cmake/web.cmake), answered without a token.
//
//   Reply reply = page_reply(request.head);      // "/", "/assets/index-Ab12.js"
//
// Files under /assets have names that change with their content and may be kept for ever; the page itself is asked for
// again each time. What a client that takes no gzip gets is inflated for it. Thread-safe: immutable tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gateway/http1.h"
#include "gateway/reply.h"

namespace weir {

struct PageFile {
  std::string_view path;  // "/" is the page itself
  std::string_view type;
  std::string_view hash;               // of the content
  std::uint32_t offset = 0, size = 0;  // in the embedded bytes

  std::string_view gzip() const;
};

std::span<const PageFile> page_files();

// 200, 304, or 404 if there is no such file.
Reply page_reply(const RequestHead& head);

}  // namespace weir
