# Sourced by the scripts beside it: makes .venv when absent and installs the given extras, once per change of the
# project's own dependency files. Usage: . scripts/_setup.sh EXTRAS
extras=$1
stamp=.venv/.installed-$extras
wanted=$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv || {
        echo "error: python3 cannot make a virtual environment" >&2
        echo "hint: on Debian and Ubuntu: apt install python3-venv" >&2
        exit 4
    }
fi
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "installing eventdet[$extras] into .venv (a minute or two, once)" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extras]"
    echo "$wanted" >"$stamp"
fi
PATH=$PWD/.venv/bin:$PATH
