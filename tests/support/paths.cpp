#include "support/paths.hpp"

namespace gsync::test::paths {

const char* const binary = GSYNC_BINARY;
const char* const ftl_stand_in = GSYNC_FTL_STAND_IN;
const char* const without = GSYNC_WITHOUT;
const char* const clock_off = GSYNC_CLOCK_OFF;
const char* const creations = GSYNC_CREATIONS;
const char* const fixtures = GSYNC_FIXTURES;
const char* const source = GSYNC_SOURCE;

}  // namespace gsync::test::paths
