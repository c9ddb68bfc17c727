#!/usr/bin/env bash
# Builds the browser module and checks it. What is built is in the tree, so that nothing else needs npm; this also says
# whether that is what the sources make.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --ignore-scripts
before=$(cat signoff.min.js types/*.d.ts | sha256sum)
npm run build
npm test
after=$(cat signoff.min.js types/*.d.ts | sha256sum)
if [ "$before" != "$after" ]; then
    echo "signoff.min.js or types/ were not built from these sources; now they are: commit them" >&2
    exit 1
fi
