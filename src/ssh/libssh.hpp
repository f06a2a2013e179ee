#pragma once
#include <libssh/libssh.h>

#include <memory>
#include <string>

#include "gsync/util/text.hpp"

/// libssh's handles with owners. Its headers are included by this folder only.
namespace gsync::ssh {

struct KeyFree {
  void operator()(ssh_key key) const { ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, KeyFree>;

struct StringFree {
  void operator()(char* text) const { ssh_string_free_char(text); }
};
using CString = std::unique_ptr<char, StringFree>;

/// libssh's last error. It may quote the far side.
inline std::string error_text(ssh_session session) {
  auto text = util::printable(ssh_get_error(session));
  return text.empty() ? "no reason was given" : text;
}

}  // namespace gsync::ssh
