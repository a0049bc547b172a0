#!/usr/bin/env bash
# Install what schedcp needs to build, test and run; say what is done; do nothing when all is there.
# Debian 12 takes QEMU (>= 10), libbpf (>= 1.4) from its own backports, Debian 13 has them.
# Elsewhere: print the list and stop. Packages named on the command line are wanted too.
set -euo pipefail

build="build-essential cmake ninja-build pkg-config ccache libelf-dev zlib1g-dev libzstd-dev libssl-dev
  libsqlite3-dev libcurl4-openssl-dev libhnswlib-dev libcli11-dev nlohmann-json3-dev libfmt-dev doctest-dev libcap-dev libseccomp-dev libbpf-dev"
bpf="clang-19 llvm-19"
run="qemu-system-x86 bubblewrap ca-certificates debian-archive-keyring xz-utils gzip coreutils procps util-linux"
check="clang-format-19 clang-tidy-19 libclang-rt-19-dev mandoc man-db zsh fish"
suite="git make perl mawk openssl sqlite3 flac libjpeg-turbo-progs rt-tests busybox wrk"
node="nodejs npm"
backports="qemu-system-x86 qemu-system-common qemu-system-data libbpf-dev libbpf1"

say() { printf 'deps: %s\n' "$*" >&2; }
installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
at_least() { installed "$1" && dpkg --compare-versions "$(dpkg-query -W -f '${Version}' "$1")" ge "$2"; }

command -v npm >/dev/null 2>&1 && node=
wanted=$(echo $build $bpf $run $check $suite $node "$@")

. /etc/os-release 2>/dev/null || true
if [ "${ID:-}" != debian ] || { [ "${VERSION_ID:-}" != 12 ] && [ "${VERSION_ID:-}" != 13 ]; }; then
  say "this is not Debian 12 or 13 (${PRETTY_NAME:-unknown system}); install the counterparts of:"
  printf '  %s\n' $wanted
  say "with QEMU >= 10, libbpf >= 1.4 and clang >= 16; then run: SCHEDCP_SKIP_DEPS=1 make demo"
  [ "${SCHEDCP_SKIP_DEPS:-}" = 1 ] && exit 0
  exit 3
fi
if [ "$(dpkg --print-architecture)" != amd64 ]; then
  say "schedcp runs on x86-64 only for now; this is $(dpkg --print-architecture)"
  exit 3
fi

missing=
for p in $wanted; do
  case $p in
    qemu-system-x86) at_least $p 1:10 || missing="$missing $p" ;;
    libbpf-dev) at_least $p 1:1.4 || missing="$missing $p" ;;
    *) installed $p || missing="$missing $p" ;;
  esac
done
if [ -z "$missing" ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  say "missing:$missing"
  say "run as root: make deps"
  exit 3
fi

export DEBIAN_FRONTEND=noninteractive
apt="apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq"
if [ "$VERSION_ID" = 12 ] && ! apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' | grep -q backports; then
  # The mirror is the one the machine already uses for its own release.
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | head -n 1)
  if [ -z "$mirror" ]; then
    say "apt knows no mirror for $VERSION_CODENAME; add one to /etc/apt/sources.list and run make deps again"
    exit 3
  fi
  say "adding $VERSION_CODENAME-backports of this machine's own mirror (/etc/apt/sources.list.d/schedcp-backports.sources)"
  cat > /etc/apt/sources.list.d/schedcp-backports.sources <<SOURCES
Types: deb
URIs: $mirror
Suites: $VERSION_CODENAME-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
fi
say "updating the package lists"
$apt update
say "installing:$missing"
from_release= from_backports=
for p in $missing; do
  case " $backports " in *" $p "*) from_backports="$from_backports $p" ;; *) from_release="$from_release $p" ;; esac
done
[ -z "$from_release" ] || $apt install -y --no-install-recommends $from_release >&2
if [ -n "$from_backports" ]; then
  if [ "$VERSION_ID" = 12 ]; then
    $apt install -y --no-install-recommends -t bookworm-backports $from_backports >&2
  else
    $apt install -y --no-install-recommends $from_backports >&2
  fi
fi
say "done in $SECONDS s, downloads included"
