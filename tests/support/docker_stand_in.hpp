#pragma once
#include "support/pihole_directory.hpp"

namespace gsync::test {

/// A docker command in bin_directory() that knows one container, named as the Pi-hole is: `container inspect` (inspect.json beside bin/),
/// `exec … pihole-FTL`, which runs the stand-in with the container's variables and nothing else and leaves its words in `executed`, and
/// `restart`, which ends FTL for whoever starts it again. Other containers it does not know.
void write_docker_stand_in(const PiholeDirectory& pihole);

}  // namespace gsync::test
