# Sourced by ./test and ./run: packages, then the build in 'build/'.

# name of the Debian package, and a command, pkg-config module, file or pattern that shows it is there
needed='gcc:cmd:gcc g++:cmd:g++ cmake:cmd:cmake ninja-build:cmd:ninja pkg-config:cmd:pkg-config
        flex:cmd:flex bison:cmd:bison check:mod:check libopenblas-dev:mod:openblas
        libc6-dev:file:/usr/include/stdio.h'
# What only ./test uses: random cells (tests/gen), the fuzzers of tests/fuzz, tests/mutants, the builds of
# tests/trust, and a locale with a decimal comma (tests/fault).
needed_by_trust='tcc:cmd:tcc python3:cmd:python3 clang-tidy:cmd:clang-tidy cppcheck:cmd:cppcheck
        valgrind:cmd:valgrind clang:cmd:clang llvm:cmd:llvm-cov
        libomp-dev:file:/usr/lib/x86_64-linux-gnu/libomp5.so locales:file:/usr/share/i18n/locales/de_DE
        libclang-rt-dev:glob:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer*'

setup_missing() {
    local row name kind what
    for row in $needed; do
        IFS=: read -r name kind what <<<"$row"
        case $kind in
        cmd) command -v "$what" >/dev/null || echo "$name" ;;
        mod) pkg-config --exists "$what" 2>/dev/null || echo "$name" ;;
        file) [ -e "$what" ] || echo "$name" ;;
        glob) compgen -G "$what" >/dev/null || echo "$name" ;;
        esac
    done
}

setup_packages() {
    local missing as_root=
    missing=$(setup_missing | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
    fi
    if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; }; then
        echo "missing: $missing" >&2
        echo "install them, on Debian: apt-get install $missing" >&2
        exit 5
    fi
    echo "installing: $missing" >&2
    # Lists of packages that are missing or old make the first try fail.
    # shellcheck disable=SC2086
    if ! DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y --no-install-recommends \
        $missing >/dev/null 2>&1 </dev/null; then
        $as_root apt-get update -qq </dev/null &&
            DEBIAN_FRONTEND=noninteractive $as_root apt-get install -qq -y \
                --no-install-recommends $missing >/dev/null </dev/null || {
            echo "apt-get could not install: $missing" >&2
            exit 5
        }
    fi
}

# setup_build TARGET... : configure once, build what is named. Says nothing while all goes well and
# nothing is to be done.
setup_build() {
    local werror=OFF
    [ -z "${CI:-}" ] || werror=ON
    setup_packages
    if [ ! -e build/build.ninja ] || ! grep -q "^PRNN_WERROR:BOOL=$werror\$" build/CMakeCache.txt; then
        cmake -G Ninja -S . -B build -DCMAKE_BUILD_TYPE=Release "-DPRNN_WERROR=$werror" >&2
    fi
    ninja -C build --quiet "$@" >&2
}
