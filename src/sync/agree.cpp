#include "agree.hpp"

#include "gsync/model/fit.hpp"
#include "gsync/util/codec.hpp"
#include "run_support.hpp"

namespace gsync::sync {

std::string base_id(const model::PairInfo& a, const model::PairInfo& b, const model::Lists& lists, const model::Records& records,
                    const std::map<model::RowKey, model::SetDigest>& compiled) {
  model::Digests digests;
  digests.lists = model::digest_of(lists);
  digests.records = model::digests_of(records);
  return model::to_string(model::digest_of(util::encode(a.base) + util::encode(b.base) + util::encode(digests) + util::encode(compiled)));
}

model::Components agreeable(const model::NodeInfo& a, const model::NodeInfo& b, const model::Components& wanted) {
  auto result = wanted;
  for (auto kind : model::record_kinds) {
    const auto i = model::index_of(kind);
    const bool both_have = a.digests.records[i] && b.digests.records[i];
    const bool stuck = records_differ(a.digests, b.digests, kind) &&
                       !(a.capabilities.records_read_only[i].empty() && b.capabilities.records_read_only[i].empty());
    if (!both_have || stuck) result.records[i] = false;
  }
  return result;
}

void settle_one(model::Node& node, const model::NodeInfo& info, model::Node& other, const model::NodeInfo& other_info,
                const std::string& id, bool caught_up, const std::string& label) {
  auto reach = other.pair(info.node_id).reach;
  std::erase_if(reach, [&](const model::NodeName& name) { return name.id == other_info.node_id; });
  node.settle(other_info.node_id, {id, caught_up, label, {other_info.node_id, other_info.name}, std::move(reach)});
}

void settle_both(model::Node& first, const model::NodeInfo& first_info, model::Node& second, const model::NodeInfo& second_info,
                 const std::string& id, bool caught_up) {
  settle_one(second, second_info, first, first_info, id, caught_up, {});
  settle_one(first, first_info, second, second_info, id, caught_up, second.label());
}

void agree(model::Node& first, const model::NodeInfo& first_info, model::Node& second, const model::NodeInfo& second_info,
           const model::Components& components) {
  const auto wanted = agreeable(first_info, second_info, components);
  const auto lists = first.lists();
  model::Intent intent;
  intent.id = base_id(first.pair(second_info.node_id), second.pair(first_info.node_id), lists, first.records(),
                      model::compiled_sets(first.blocklist()));
  intent.components = wanted;
  const auto fit = model::common_fit(first_info, second_info);
  intent.expected = first_info.digests;
  intent.only_here = model::unfit(lists, fit);
  first.intend(second_info.node_id, intent);
  intent.expected = second_info.digests;
  intent.only_here = model::unfit(second.lists_beside(lists), fit);
  second.intend(first_info.node_id, intent);
  settle_both(first, first_info, second, second_info, intent.id, false);
}

}  // namespace gsync::sync
