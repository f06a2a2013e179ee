#pragma once

namespace gsync::test::paths {

/// The program that is tested.
extern const char* const binary;
extern const char* const ftl_stand_in;
/// Runs a program as on a filesystem that cannot do everything: without_main.cpp.
extern const char* const without;
/// Preloaded, sets a program's clock: clock_off_preload.cpp.
extern const char* const clock_off;
/// Preloaded, notes the modes of the files that a program makes: creations_preload.cpp.
extern const char* const creations;
/// Databases and record files of real shape. The folder need not be there; a test that needs it says that it was skipped.
extern const char* const fixtures;
/// The checkout.
extern const char* const source;

}  // namespace gsync::test::paths
