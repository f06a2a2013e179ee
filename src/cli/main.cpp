#include "gsync/cli/run.hpp"

int main(int argc, char** argv) {
  return gsync::cli::run(argc, argv);
}
