# bash completion for pycfs                              -*- shell-script -*-

# By verb, its options; by "verb --option" and "verb N", what an option and the
# Nth argument take: words, or @kind.
@bash

_pycfs_pythons() {
	local dir file
	local IFS=:
	for dir in $PATH; do
		for file in "$dir"/python3.[0-9] "$dir"/python3.[0-9][0-9]; do
			[[ ! -x $file ]] || echo "${file##*/python}"
		done
	done
	for dir in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*; do
		[[ ! -x $dir/bin/python3 ]] || echo "${dir##*/}"
	done
}

# _pycfs_reply KIND WORD: completes WORD as a value of that kind.
_pycfs_reply() {
	local cur=$2
	case $1 in
	@text) ;;
	@dir)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	@file)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	@python)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(
			compgen -W "$(_pycfs_pythons)" -- "$cur"
			compgen -f -- "$cur"
		)
		;;
	@command)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
		;;
	esac
}

_pycfs() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev= verb=${COMP_WORDS[1]}
	local i nth=1 own=1
	COMPREPLY=()

	if ((COMP_CWORD == 1)); then
		_pycfs_reply "${!_pycfs_options[*]} --help --version" "$cur"
		return
	fi
	[[ -n $verb && -n ${_pycfs_options[$verb]-} ]] || return

	# An "=" is a word of its own.
	for ((i = 2; i < COMP_CWORD; i++)); do
		prev=${COMP_WORDS[i]}
		if [[ $prev == -- ]]; then
			own=0
		elif [[ $prev == = ]]; then
			prev=${COMP_WORDS[i - 1]}
			((i + 1 >= COMP_CWORD)) || { ((i++)); prev=; }
		elif ((!own)) || [[ $prev != -?* ]]; then
			((nth++))
			prev=
		elif [[ -n ${_pycfs_values["$verb $prev"]-} &&
			${COMP_WORDS[i + 1]} != = ]]; then
			((i + 1 >= COMP_CWORD)) || { ((i++)); prev=; }
		fi
	done
	[[ $cur != = ]] || cur=

	if ((own)) && [[ -n $prev && -n ${_pycfs_values["$verb $prev"]-} ]]; then
		_pycfs_reply "${_pycfs_values["$verb $prev"]}" "$cur"
	elif ((own)) && [[ $cur == -* ]]; then
		_pycfs_reply "${_pycfs_options[$verb]}" "$cur"
	elif ((own)) || [[ $verb == run ]]; then
		_pycfs_reply "${_pycfs_values["$verb $nth"]-@text}" "$cur"
	fi
}

complete -F _pycfs pycfs
