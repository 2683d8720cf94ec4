#!/usr/bin/env bash
# Run `swift format` over the sources with the arguments given, by the version that laid them out: others may differ.
set -euo pipefail
cd "$(dirname "$0")"

if grep -Eq 'Swift version 6\.3([^0-9]|$)' <<<"$(swift --version 2>&1)"; then
    swift format "$@" --recursive Package.swift Sources Examples Tests
else
    echo "The Swift sources are neither formatted nor linted: that takes Swift 6.3, as they are laid out by it."
fi
