#!/usr/bin/env bash
# usage: tests/packages/hosts.sh STAGE ROOT
# Two systems of tests/packages/run.sh, which makes what is in STAGE, with a network between them, from installation to purge.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
stage=$(readlink -f "$1") root=$(readlink -f "$2")
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"
# shellcheck source=../systemd/boot.sh
. "$source_directory/tests/systemd/boot.sh"
# shellcheck source=../support/check.sh
. "$source_directory/tests/support/check.sh"
address_ph1=192.0.2.1 address_ph2=192.0.2.2

for name in ph1 ph2; do boot_system "$name" "$root" "$source_directory" "$stage"; done
ip link add name to-ph2 netns "${booted[ph1]}" type veth peer name to-ph1 netns "${booted[ph2]}" ||
  { say 'skipped: this kernel makes no pair of network interfaces'; exit 77; }
in_system ph1 ip address add "$address_ph1/24" dev to-ph2
in_system ph2 ip address add "$address_ph2/24" dev to-ph1
in_system ph1 ip link set to-ph2 up
in_system ph2 ip link set to-ph1 up

step() { in_system "$1" timeout 150 bash /source/tests/packages/host_steps.sh "${@:2}"; }
both() { step ph1 "$@" && step ph2 "$@"; }
# What is edited on one is there on the other soon after.
edit_arrives() { step "$1" edit "$3" && step "$2" has "$3"; }
edits_arrive() { edit_arrives ph1 ph2 "$1-from-ph1.example" && edit_arrives ph2 ph1 "$1-from-ph2.example"; }

check 'each has a Pi-hole' step ph1 prepare ph1
check 'of its own' step ph2 prepare ph2
check 'the package installs on both, by the command of the README' both install_version first
fingerprint=$(step ph1 fingerprint)
check 'pair refuses another host key than the one that was named' step ph2 pair_with_a_wrong_fingerprint "$address_ph1"
check 'pair says that a password is wrong' step ph2 pair_with_a_wrong_password "$address_ph1" "$fingerprint"
check 'pair, as the README has it, connects the two: fingerprint, password of ssh, password of sudo, which is right' step ph2 pair "$address_ph1" "$fingerprint"
check 'both are in step' step ph2 in_step
check 'an edit on either arrives on the other' edits_arrive one
check "the key of one gives no shell on the other" step ph2 key_opens_nothing "$address_ph1"
check 'the service has no capability but one' both one_capability
check 'its sockets refuse others' both sockets_refuse_others
check 'no secret is in a log or in an argument' both no_secret_is_shown
check 'pairing again is harmless' step ph2 pair_again "$address_ph1"
check 'one is upgraded' step ph1 install_version later
check 'and both go on' edits_arrive two
check 'the other is upgraded' step ph2 install_version later
check 'and both go on' edits_arrive three
check 'FTL was not restarted on either' both same_ftl
check 'unpair takes it back on both' step ph2 unpair "$address_ph1"
check 'which the other sees' step ph1 knows_nobody
check 'both are connected again' step ph2 pair_once_more "$address_ph1" "$fingerprint"
check 'and go on' edits_arrive four
check 'purge takes everything away, while they are connected' both purge
check 'no file and no account is left on either' both nothing_is_left
check 'FTL was not restarted on either' both same_ftl
# shellcheck disable=SC2154  # of check.sh
if [ "$failures" != 0 ]; then for name in ph1 ph2; do say "$name:" && in_system "$name" journalctl -u gravity-sync -u ssh -o cat --no-pager | tail -n 30 >&2; done; fi
exit $((failures > 0))
