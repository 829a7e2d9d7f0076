# Installs the Debian packages that are named, as root, without starting the services that they bring.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Debian asks this program whether a service may start. One that is there is the machine's own, and has its say.
policy=/usr/sbin/policy-rc.d
trap 'exit 1' HUP INT TERM
if (set -o noclobber && printf '#!/bin/sh\nexit 101\n' >"$policy") 2>/dev/null; then
    trap 'rm -f "$policy"' EXIT
    chmod 755 "$policy"
fi

apt-get update || echo "apt-get update failed; the lists that are there may do." >&2
apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
