#include "setup_json.hpp"

#include <nlohmann/json.hpp>

namespace gsync::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string key_json(const setup::NodeKey& key, const std::string& path) {
  return text({{"public_key", key.public_key.line()}, {"fingerprint", key.public_key.fingerprint}, {"file", path}, {"made", key.made}});
}

std::string accept_json(const AcceptFacts& facts) {
  return text({{"peer", facts.peer},
               {"file", facts.file},
               {"fingerprint", facts.fingerprint},
               {"read_only", facts.read_only},
               {"accepted", !facts.fingerprint.empty()},
               {"before", facts.before},
               {"replaced", facts.replaced},
               {"replaced_read_only", facts.replaced_read_only}});
}

std::string settings_json(const std::string& path, const std::vector<config::Setting>& settings) {
  Json json{{"file", path}, {"settings", Json::array()}};
  for (const auto& each : settings)
    json["settings"].push_back(
        {{"section", each.section}, {"key", each.key}, {"value", each.value}, {"default", each.otherwise}, {"line", each.line}});
  return text(json);
}

std::string imported_json(const config::Imported& imported) {
  return text({{"taken", imported.taken}, {"left", imported.left}, {"configuration", imported.toml}});
}

}  // namespace gsync::cli
