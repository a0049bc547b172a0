# What the workloads of the suite share. Each is a file beside this one: it says how its data are
# made and how it runs, and ends with `suite "$@"`.
#
#   ID make DIR [PERCENT]  make its data in DIR, which must not be there: the same bytes each time,
#                          PERCENT (100) of the usual size
#   ID warm                read them once, in DIR, so that no run waits for the disk
#   ID [run]               run once, in DIR, on which it leaves its results
set -eu
here=${0%/*}
shorts=39

# Sizes in bytes of data that are not the usual size.
size() { echo $(($1 * percent / 100 + 1)); }
# The size of short job N: 0.6 to 1.4 of the mean.
short_size() { size $(($2 * (60 + $1 * 37 % 81) / 100)); }
data() { "$here/../suite-data" "$@"; }
# A job of the batch: its name, its program, its arguments. The long one comes first.
job() {
  printf '%s' "$1" >> jobs
  shift
  printf '\t%s' "$@" >> jobs
  echo >> jobs
}
batch() { exec "$here/../suite-batch" jobs; }

suite() {
  case ${1:-run} in
    make)
      percent=${3:-100}
      mkdir "$2"
      cd "$2"
      make
      ;;
    warm) find . -type f -exec cat {} + > /dev/null ;;
    run) run ;;
    *) echo "usage: ${0##*/} make DIR [PERCENT] | warm | [run]" >&2 && exit 2 ;;
  esac
}
