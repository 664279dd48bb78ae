#!/bin/sh
# A layer for AWS Lambda: the same zip for the same files, within the limits.
#
# usage: lambda.sh SITE_PACKAGES PYTHON_VERSION LAYER.zip
set -eu
: "${SOURCE_DATE_EPOCH:=0}"
export SOURCE_DATE_EPOCH
exec pycfs export --python "$2" --modes normal --print-digest \
	--rules "$(dirname "$0")/layer.rules" \
	--prefix-dir "python/lib/python$2/site-packages" \
	--max-size lambda --max-compressed-size lambda "$1" "$3"
