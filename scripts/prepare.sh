# Sourced by scripts/run and scripts/test: installs what is missing, and only that. Quick where everything is there.
# shellcheck shell=bash

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'; else bold='' dim='' red='' plain=''; fi

say() { printf '%s\n' "${dim}$*${plain}" >&2; }

die() {
	printf '%s\n' "${red}$1${plain}" "${@:2}" >&2
	exit 1
}

# What the build needs, as Debian packages.
build_packages=(bpftool clang gcc libbpf-dev libc6-dev libelf-dev libsystemd-dev llvm make util-linux zlib1g-dev zstd)
# What ./scripts/run needs beyond it.
run_packages=(nats-server)
# What the tests need beyond both.
test_packages=(dpkg-dev libfaketime nats-server patch procps python3 systemd systemd-journal-remote xz-utils)

# Node.js brings npm, npm brings everything else, Bun included.
require_node() {
	command -v node >/dev/null && command -v npm >/dev/null ||
		die "Node.js 20 or later with npm is needed, and is not there." "On Debian: apt-get install nodejs npm, or a package of https://nodejs.org"
	local major
	major=$(node -p 'process.versions.node.split(".")[0]')
	[ "$major" -ge 20 ] || die "Node.js $(node --version) is too old: 20 or later is needed."
}

# install_packages PACKAGE...: those of the packages that are not installed, in one step.
install_packages() {
	local missing=() package root=()
	if ! command -v dpkg-query >/dev/null; then
		say "This is not Debian: the equivalents of these packages must be there: $*"
		return
	fi
	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "Some Debian packages are missing, and neither root nor sudo is at hand." "As root: apt-get install --no-install-recommends ${missing[*]}"
		root=(sudo)
	fi
	say "Installing from Debian: ${missing[*]}"
	local log
	log=$(mktemp)
	local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
	if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "Debian packages could not be installed." "Try yourself: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
	fi
	rm -f "$log"
}

# True where node_modules holds what package-lock.json names, whoever installed it; packages for other machines may be absent.
modules_are_there() {
	node_modules/.bin/bun --version >/dev/null 2>&1 && node -e '
		const read = (path) => JSON.parse(require("fs").readFileSync(path, "utf8")).packages;
		const [wanted, there] = [read("package-lock.json"), read("node_modules/.package-lock.json")];
		const same = ([path, entry]) => path === "" || (there[path] ? there[path].version === entry.version : entry.optional === true);
		process.exit(Object.entries(wanted).every(same) ? 0 : 1);
	' 2>/dev/null
}

# The packages of package-lock.json, exactly; nothing to do where they are there already.
install_modules() {
	local stamp=node_modules/.installed wanted
	wanted="$(sha256sum <package-lock.json) $(uname -m)"
	[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
	if modules_are_there; then
		printf '%s\n' "$wanted" >"$stamp"
		return 0
	fi
	say "Installing from npm"
	npm ci --no-audit --no-fund --loglevel=error >&2 </dev/null || die "npm ci failed." "Is the registry reachable? Try yourself: npm ci"
	node_modules/.bin/bun --version >/dev/null || die "Bun was installed and does not run." "It needs a processor and a C library of its own kind: see https://bun.sh/docs/installation"
	printf '%s\n' "$wanted" >"$stamp"
}

# True where something that becomes part of the agent is newer than the agent.
agent_is_stale() {
	[ -x dist/tapio-agent ] || return 0
	[ -n "$(find bpf src scripts/build* package-lock.json -type f ! -name '*.test.ts' ! -name '*.md' -newer dist/tapio-agent -print -quit)" ]
}

build_agent() {
	agent_is_stale || return 0
	say "Building dist/tapio-agent"
	local log
	log=$(mktemp)
	if ! node_modules/.bin/bun scripts/build.ts >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		die "The build failed." "Its output is above; to repeat it: npx bun scripts/build.ts"
	fi
	rm -f "$log"
	# A build that found nothing to change leaves the old time behind: the next start need not build again.
	touch dist/tapio-agent
}
