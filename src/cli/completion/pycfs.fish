# fish completion for pycfs

function __pycfs_pythons
    set -l root $HOME/.pyenv
    set -q PYENV_ROOT; and set root $PYENV_ROOT
    for file in $PATH/python3.* $root/versions/3.*/bin/python3
        if string match -qr '/versions/[^/]*/bin/python3$' -- $file
            string replace -r '.*/versions/([^/]*)/.*' '$1' -- $file
        else
            string match -r '(?<=/python)3\.[0-9]+$' -- $file
        end
    end
end

complete -c pycfs -f
complete -c pycfs -n __fish_use_subcommand -l help -s h -d 'print the verbs'
complete -c pycfs -n __fish_use_subcommand -l version -d 'print the version'
@fish
