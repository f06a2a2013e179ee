#pragma once
#include <string>

#include "gsync/model/node.hpp"

namespace gsync::sync {

/// The id of a base: of what both nodes hold, and of the bases before it. Of both: one that was put back to a backup may come by the same
/// content from the same base a second time, and the other has that as its base already.
std::string base_id(const model::PairInfo& a, const model::PairInfo& b, const model::Lists& lists, const model::Records& records,
                    const std::map<model::RowKey, model::SetDigest>& compiled);

/// Those of `wanted` that the two can have in common now: kinds of records that one of them lacks, or cannot take while they differ, keep
/// the base that they have.
model::Components agreeable(const model::NodeInfo& a, const model::NodeInfo& b, const model::Components& wanted);

/// Makes what both hold their base. Both are locked and in step. `first` is the one whose configuration names the other.
void agree(model::Node& first, const model::NodeInfo& first_info, model::Node& second, const model::NodeInfo& second_info,
           const model::Components& components);

/// For a node whose other one has settled already, or is about to.
void settle_one(model::Node& node, const model::NodeInfo& info, model::Node& other, const model::NodeInfo& other_info,
                const std::string& id, bool caught_up, const std::string& label);

/// Tells both that what they intended is done. In this order: as long as the second has not heard it, the first one can tell it again.
void settle_both(model::Node& first, const model::NodeInfo& first_info, model::Node& second, const model::NodeInfo& second_info,
                 const std::string& id, bool caught_up);

}  // namespace gsync::sync
