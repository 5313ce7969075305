#!/bin/sh
# Domino's app: the web page at the port that Domino shows. Arguments are passed on: a run, --precision int8.
set -eu
cd "$(dirname "$0")/../../.."
npm run setup --silent -- --quiet
exec node_modules/.bin/tunebook app --host 0.0.0.0 --port 8888 "$@"
