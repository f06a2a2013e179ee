#pragma once
#include "gsync/sync/engine.hpp"

namespace gsync::cli {

/// Of two that are in step, each of which keeps something to itself.
inline sync::Comparison with_kept_local() {
  sync::Comparison comparison;
  comparison.here.kept_local = {"clients", "dns:*.own"};
  comparison.kept_here.rows = {{model::Table::client, 0, "10.0.0.7"}};
  comparison.kept_here.records[0] = {"10.0.0.3 nas.own"};
  comparison.there.entries_kept = 4;
  return comparison;
}

}  // namespace gsync::cli
