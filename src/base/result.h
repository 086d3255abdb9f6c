// Result<T>: a value or an Error. Nothing throws across a folder border.
//
//   Result<int> port = parse_port(text);
//   if (!port) return std::unexpected(port.error());
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace weir {

// What went wrong and what the reader can do about it, in one sentence.
struct Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected(Error{std::move(message)});
}

}  // namespace weir
