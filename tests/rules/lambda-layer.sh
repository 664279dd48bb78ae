#!/bin/sh
# SPDX-License-Identifier: MIT
# How layers of bytecode were made before: the commands that
# lambda-layer.rules replaces. The test applies both to one tree.
#
# usage: lambda-layer.sh PYTHON SITE    (3.9 or later; SITE is changed)
set -eu

python=$1
cd "$2"

# The runtime has these, and nothing is installed there.
rm -rf botocore* boto3* setuptools* pip*

# Tests, and what only type checkers and C compilers read.
find . -depth -type d \( -name test -o -name tests \) -exec rm -rf {} +
find . \( -name '*.pyi' -o -name '*.pyx' -o -name '*.c' -o -name '*.h' \) \
	! -type d -delete

# Extension modules of products that are off.
if [ -d ddtrace/appsec ]; then
	find ddtrace/appsec -name '_native*.so' -delete
fi
if [ -d ddtrace/profiling ]; then
	find ddtrace/profiling -name '*.so' -delete
fi

# Of the metadata: what scanners and entry points ask for.
find . -type d -name '*.dist-info' | while read -r info; do
	find "$info" -mindepth 1 -maxdepth 1 ! -name METADATA \
		! -name entry_points.txt -exec rm -rf {} +
done

# The bytecode, beside its source; then the source goes, but for what is found
# by the name patch.py. Of that, the bytecode goes: beside a source Python
# never looks at it.
PYTHONNODEBUGRANGES=1 "$python" -m compileall -q -o 2 -b .
find . -name __pycache__ -type d -prune -exec rm -rf {} +
find . -name '*.py' ! \( -path './ddtrace/contrib/*' -name patch.py \) -delete
find ddtrace/contrib -name patch.pyc -delete

find . -mindepth 1 -depth -type d -empty -delete
