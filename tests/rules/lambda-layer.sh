#!/bin/sh
# SPDX-License-Identifier: MIT
# How layers of bytecode are made without pycfs: the commands of a real layer's
# build that tools/examples/lambda/section.rules replaces. The test applies both
# to one tree.
#
# usage: lambda-layer.sh PYTHON SITE    (3.9 or later; SITE is changed)
set -eu

python=$1
cd "$2"

# The runtime has it; and what nobody calls there.
rm -rf botocore* setuptools jsonschema/tests

# Parts of products that are not supported.
(cd ddtrace && rm -rf appsec/_iast appsec/sca appsec/_shared)

# What runs where tests run.
(cd ddtrace && rm -rf contrib/coverage contrib/pytest contrib/pytest_bdd \
	contrib/pytest_benchmark contrib/selenium contrib/unittest \
	ext/ci_visibility ext/test_visibility internal/ci_visibility \
	internal/coverage internal/test_visibility testing)
rm -rf datadog/dogshell bin/dog*

# Of the metadata: what scanners and entry points ask for.
find ./*.dist-info -type f ! -name entry_points.txt ! -name METADATA -delete
find . -type d -empty -delete

# The runtime has these, too.
rm -rf requests* urllib3* certifi* idna* charset_normalizer* ./*__mypyc*.so

# The bytecode, beside its source; then the source goes. An older ddtrace finds
# its integrations by the name patch.py.
PYTHONNODEBUGRANGES=1 "$python" -OO -m compileall -q -b .
version=$(sed -n 's/^Version: //p' ddtrace-*.dist-info/METADATA)
if [ "$(printf '%s\n4.7.0\n' "$version" | sort -V | head -n 1)" = 4.7.0 ]; then
	find . -name '*.py' -delete
else
	find . -name '*.py' ! -path './ddtrace/contrib/*' -delete
	find ddtrace/contrib -name '*.py' ! -name patch.py -delete
fi
find . -name __pycache__ -type d -prune -exec rm -r {} +

# Symbols that nothing is linked by. What is no library does not count.
find . -name '*.so' -exec strip --strip-unneeded {} + 2>/dev/null || true

# What only compilers and type checkers read.
for ending in c cpp cc h hpp pyx pyi; do
	find ddtrace -name "*.$ending" -delete
done
