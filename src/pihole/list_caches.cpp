#include "list_caches.hpp"

#include <dirent.h>
#include <fmt/core.h>

#include <memory>
#include <string>

namespace gsync::pihole {

void remove_list_caches(const Parts& parts, const std::vector<std::int64_t>& adlists) {
  if (adlists.empty()) return;
  for (const auto& directory : {parts.installation.directory, parts.installation.directory + "/listsCache"}) {
    std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
    if (!open) continue;
    while (const dirent* entry = ::readdir(open.get())) {
      const std::string name = entry->d_name;
      for (auto id : adlists) {
        if (name.starts_with(fmt::format("list.{}.", id))) parts.live.files().unlink_at(::dirfd(open.get()), name);
      }
    }
  }
}

}  // namespace gsync::pihole
