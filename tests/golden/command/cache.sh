# The cache of compiled kernels as its command shows it. Sizes and times are of this machine and left out.
cache() {
    echo "-- cache $*"
    pararnnc cache "$@" 2>&1 | sed -E "s#$PWD#HERE#g; s/\b([0-9a-f]{64}|[0-9a-f]{16})\b/KEY/g; \
        s/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{5}/WHEN/; s/[0-9]{4,}/N/g; s/(cpu object) [^\"]*/\1 ISA/; s/  +/  /g"
}
run() {
    pararnnc run "$SAMPLES/gru.cell" --device cpu --batch 1 --seq-len 9 --channels 3 --json "$@" >run.json
    echo "-- run $*: exit $?, interpreted $(grep -o '"interpreted": [a-z]*' run.json | cut -d' ' -f2)"
}
cache path
cache path --json
cache list
cache list --json
cache stats
run
run --dtype f64
cache list
cache list --json
cache stats
cache stats --json
cache verify
cache verify --json

# A byte of one entry turns: it is found, and another is made of it; the other entry stays.
damaged=$(ls -S cache/*/* cache/* 2>/dev/null | grep -E '[0-9a-f]{64}' | head -n 1)
printf 'turned' | dd of="$damaged" bs=1 seek=$(($(wc -c <"$damaged") - 9)) conv=notrunc 2>/dev/null
cache verify
cache stats --json
run
run --dtype f64
cache stats --json
cache clean
cache list
cache clean --json

echo '-- sizes'
for size in 0 700 3K 5m 2G 99999999999999999999G 1.5G 3KB 5. 7x -1 much ''; do
    echo "$size: $(PARARNNC_CACHE_SIZE=$size pararnnc cache stats --json | grep -o '"max_bytes": [0-9]*')"
done
# A cache of no bytes keeps nothing, and what is compiled is used all the same.
PARARNNC_CACHE_SIZE=0 run
cache stats --json

echo '-- off'
for place in none relative/folder; do
    for verb in path stats; do
        PARARNNC_CACHE_DIR=$place pararnnc cache $verb 2>&1
        echo "exit $?"
    done
done
PARARNNC_CACHE_DIR=none pararnnc cache path --json
PARARNNC_CACHE_DIR= XDG_CACHE_HOME=$PWD/xdg pararnnc cache path | sed "s#$PWD#HERE#"
PARARNNC_CACHE_DIR= XDG_CACHE_HOME= HOME=$PWD/home pararnnc cache path | sed "s#$PWD#HERE#"
touch file
PARARNNC_CACHE_DIR=$PWD/file/folder pararnnc cache list 2>&1 | sed "s#$PWD#HERE#"
env -u PARARNNC_CACHE_DIR -u XDG_CACHE_HOME -u HOME pararnnc cache list 2>&1
echo "exit $?"
