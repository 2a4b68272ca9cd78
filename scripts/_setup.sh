# Sourced by the scripts beside it: makes .venv when absent and installs the given extras, once per change of the
# project's own dependency files. Usage: . scripts/_setup.sh EXTRAS
wanted=$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1)
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv || {
        echo "error: python3 cannot make a virtual environment" >&2
        echo "hint: on Debian and Ubuntu: apt install python3-venv" >&2
        exit 4
    }
fi
# The extra dev holds all the others, so its stamp serves every script.
if ! cat .venv/.installed-dev ".venv/.installed-$1" 2>/dev/null | grep -qx "$wanted"; then
    echo "installing eventdet[$1] into .venv (a minute or two, once)" >&2
    .venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[$1]"
    echo "$wanted" >".venv/.installed-$1"
fi
# A compiled kernel stays in use although another one that is inlined into it has changed: Numba looks at one file only.
kernels=$(find eventdet models preprocessing -name '*_kernels.py' -print0 | sort -z | xargs -0 cat | sha256sum)
if ! grep -qsxF -- "$kernels" .venv/.kernels; then
    find eventdet models preprocessing -name '*.nb[ci]' -delete
    echo "$kernels" >.venv/.kernels
fi
PATH=$PWD/.venv/bin:$PATH
