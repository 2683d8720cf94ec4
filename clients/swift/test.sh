#!/usr/bin/env bash
# Format, build and test the Swift client, where this machine can; otherwise say what is missing and how to get it.
# With SWIFT_TESTS=required a missing part is a failure.
set -euo pipefail
cd "$(dirname "$0")"

missing() {
    printf 'The Swift client is not tested: %s is missing.\n  Get it: %s\n' "$1" "$2" >&2
    [ "${SWIFT_TESTS:-}" != required ]
    exit
}

# On a Mac `swift` is there before any toolchain is, and the Command Line Tools' own cannot build tests.
if [ "$(uname)" = Darwin ]; then
    xcrun --find xctest >/dev/null 2>&1 ||
        missing "Xcode (its test libraries; the Command Line Tools have none that work)" \
            "Xcode 16.3 or later from the App Store; then sudo xcode-select --switch /Applications/Xcode.app"
fi
command -v swift >/dev/null || missing "a Swift 6.1 toolchain" "https://www.swift.org/install"
version=$(swift --version 2>&1 || true)
grep -Eq 'Swift version (6\.[1-9]|[7-9]|[1-9][0-9])' <<<"$version" ||
    missing "a newer Swift toolchain (6.1; the package itself needs 6.0)" \
        "https://www.swift.org/install; on a Mac Xcode 16.3 or later"
command -v pkg-config >/dev/null || missing "pkg-config" "apt-get install pkg-config; on a Mac brew install pkgconf"
pkg-config --exists libzmq || missing "ZeroMQ's library" "apt-get install libzmq3-dev; on a Mac brew install zeromq"

[ -x ../../.venv/bin/python ] || missing "the daemon to test against, in .venv" "make setup"

./format.sh lint --strict
# One after the other: the tests that count memory and threads want the process for themselves.
swift test --no-parallel 2>&1 | grep --line-buffered -vE '^(◇|↳|✔ Test case|✔ Test "|\[[0-9]+/[0-9]+\])|prohibited flag'
