#!/usr/bin/env bash
# Makes gravity-sync-VERSION-ARCHITECTURE.tar.gz, with a program that needs no library and an install.sh: for systems without Debian's
# packages (Alpine, Unraid and the like). The options are those of packaging/deb.sh, which makes the root that this is built in.
set -euo pipefail
[ "${1-}" = --here ] || exec "$(dirname "$0")/deb.sh" --tarball "$@"
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=prepare.sh
. "$source_directory/packaging/prepare.sh"

architecture=$2 triplet=$3 version=$4 output=$5
work=/src/static-$architecture
# Where the build of the package is, too: a compiler cache knows files by their relative paths.
build=$source_directory/build-static
name=gravity-sync-$version-$architecture
cross=()
if [ "$architecture" != "$(dpkg --print-architecture)" ]; then
  cross=(-DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_C_COMPILER=$triplet-gcc" "-DCMAKE_CXX_COMPILER=$triplet-g++"
    "-DPKG_CONFIG_EXECUTABLE=$(command -v "$triplet-pkg-config")")
fi
# The flags of the package, so that a compiler cache has most of this.
eval "$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-architecture --host-arch "$architecture" --command \
  sh -c 'dpkg-buildflags --export=sh' | sed 's/^export LDFLAGS=.*/export LDFLAGS="-Wl,-z,relro -Wl,-z,now"/')"
export CFLAGS="$CFLAGS $CPPFLAGS" CXXFLAGS="$CXXFLAGS $CPPFLAGS"

# Debian's libssh.a wants Kerberos, of which there is no static library. Its own source can do without; we log in by keys.
sed 's/^deb /deb-src /' /etc/apt/sources.list >/etc/apt/sources.list.d/gravity-sync-source.list
apt-get -q update </dev/null >&2 || say "apt-get update failed; trying with the old lists"
apt-get -q install -y --no-install-recommends "libssl-dev:$architecture" </dev/null >&2 || fail "libssl-dev:$architecture could not be installed (see above)"
rm -rf /src/libssh
mkdir -p /src/libssh
# The newest that the mirror really has: some have the programs of the security updates, but not all of their sources.
for libssh_version in $(apt-cache madison libssh | awk -F '[ |]+' '/ Sources$/ { print $3 }' | sort -ruV); do
  if (cd /src/libssh && apt-get -q source --only-source "libssh=$libssh_version" </dev/null >&2); then break; fi
  say "There is no source of libssh $libssh_version; trying an older one"
done
libssh_source=$(find /src/libssh -mindepth 1 -maxdepth 1 -type d -name 'libssh-*')
[ -n "$libssh_source" ] || fail "there is no source of libssh (see above)"
rm -rf "$work" "$build"
cmake --log-level=WARNING -S "$libssh_source" -B "$work/libssh" -G Ninja "-DCMAKE_INSTALL_PREFIX=$work/installed" -DCMAKE_INSTALL_LIBDIR=lib \
  -DBUILD_SHARED_LIBS=OFF -DWITH_GSSAPI=OFF -DWITH_ZLIB=OFF -DWITH_SFTP=OFF -DWITH_SERVER=OFF -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF \
  "${cross[@]}" "-DCMAKE_FIND_ROOT_PATH=/usr/lib/$triplet;/usr" >&2
cmake --build "$work/libssh" --target install >&2

PKG_CONFIG_PATH=$work/installed/lib/pkgconfig cmake --log-level=WARNING -S "$source_directory" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None \
  -DGSYNC_STATIC=ON -DGSYNC_TESTS=OFF "-DCMAKE_LIBRARY_PATH=$work/installed/lib;/usr/lib/$triplet" \
  '-DCMAKE_CXX_STANDARD_LIBRARIES=-lcrypto' "${cross[@]}" >&2
cmake --build "$build" -j "$(build_jobs)" --target gravity-sync >&2
program=$build/gravity-sync
if readelf --program-headers "$program" | grep -q INTERP; then fail "$program wants a loader of the system"; fi

contents=$work/$name
install -D -m 0755 "$program" "$contents/bin/gravity-sync"
"$([ ${#cross[@]} = 0 ] || echo "$triplet-")strip" "$contents/bin/gravity-sync"
install -m 0755 "$source_directory/packaging/install.sh" "$contents/"
install -D -m 0644 -t "$contents/share" "$source_directory"/config/gravity-sync.toml "$source_directory"/man/* "$source_directory"/completions/* \
  "$source_directory"/packaging/systemd/*.{service,socket,conf} "$source_directory"/packaging/{gravity-sync.cron,gravity-sync.openrc}
install -m 0644 "$source_directory"/{README.md,CHANGELOG.md,LICENSE} "$contents/"
# What is linked in, and its licences.
install -d "$contents/licenses"
for package in libc6-dev libstdc++-12-dev libstdc++-14-dev libssl-dev libsqlite3-dev libzstd-dev libxxhash-dev libfmt-dev libspdlog-dev \
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev; do
  if [ -e "/usr/share/doc/$package/copyright" ]; then cp -L "/usr/share/doc/$package/copyright" "$contents/licenses/$package"; fi
done
cp "$libssh_source/debian/copyright" "$contents/licenses/libssh"
chmod 0644 "$contents"/licenses/*
date=$(dpkg-parsechangelog --file "$source_directory/packaging/debian/changelog" --show-field Timestamp)
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$date" -c "$name" | gzip -9n >"$output/$name.tar.gz"
