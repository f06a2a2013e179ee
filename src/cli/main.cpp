#ifdef GSYNC_STATIC
#include <nss.h>

#include <initializer_list>
#endif

#include "gsync/cli/run.hpp"

int main(int argc, char** argv) {
#ifdef GSYNC_STATIC
  // Further sources that this host's nsswitch.conf names are libraries made for its own C library, which may not be loaded into ours.
  for (const char* database : {"passwd", "group", "initgroups"}) __nss_configure_lookup(database, "files");
  __nss_configure_lookup("hosts", "files dns");
#endif
  return gsync::cli::run(argc, argv);
}
