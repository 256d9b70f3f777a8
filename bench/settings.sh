# What "make bench" measures, and how long. Sourced by install.sh and run.sh; all of it can be given on make's command line.
#   BENCH           the sections: write bulk drain held backlog cliffs latency idle; churn too, which is not among them: it takes as long as all
#   PEERS           the systems beside pgpubsub: pgq pg-boss graphile-worker redis (raw SQL and plain NOTIFY need nothing)
#   QUICK=1         a rough look, in under five minutes
#   ROUNDS          how often each cell is measured, half as often in "drain" and "held"; the table has the medians
#   SECONDS_EACH    how long a cell of "write" and "latency" is measured, and how much "drain" and "held" have to do
#   WRITERS         how many clients write in "write"; eight times as many sessions, of at most 290
#   MAX_ROWS        the most that a cell of "drain" has to consume; three times as many in "held"
#   BATCHES         the batch sizes of "drain"; CONSUMERS: how many consume there, one alone only in batches of SINGLE_BATCHES
#   HELD_CONSUMERS  how many consume in "held"; one alone takes as long again
#   FLUSHES         the disks of "write": plain, slow
#   ROWS            how many rows a statement of "bulk" changes
#   MEMORY_ROWS     and the one that shows how much memory it takes; 0 leaves that out
#   BACKLOG         the largest backlog of "backlog"
#   IDLE_SECONDS    how long idle consumers are watched
#   CHURN_ROWS      how many rows pass through in "churn"; bench/churn.sh has its other settings: CHURN_BACKLOG, PACE, MODES, SETTLE, UPKEEP
# shellcheck shell=bash disable=SC2034
BENCH=${BENCH:-write bulk drain held backlog cliffs latency idle}
PEERS=${PEERS-pgq pg-boss graphile-worker redis}
if [ -n "${QUICK:-}" ]; then
    : "${ROUNDS:=1}" "${SECONDS_EACH:=1}" "${MAX_ROWS:=200000}" "${ROWS:=20000}" "${MEMORY_ROWS:=500000}" "${BACKLOG:=500000}" "${IDLE_SECONDS:=5}"
    : "${BATCHES:=1 100}" "${CONSUMERS:=2}" "${SINGLE_BATCHES:=}" "${WRITERS:=32}"
else
    : "${ROUNDS:=3}" "${SECONDS_EACH:=2}" "${MAX_ROWS:=400000}" "${ROWS:=100000}" "${MEMORY_ROWS:=5000000}" "${BACKLOG:=10000000}" "${IDLE_SECONDS:=20}"
    : "${BATCHES:=1 10 100 500 1000}" "${CONSUMERS:=1 2}" "${SINGLE_BATCHES:=100}" "${WRITERS:=1 8 32}"
fi
: "${HELD_CONSUMERS:=2}" "${FLUSHES:=plain slow}"

# wants WORD LIST: whether the word is in the list.
wants() { case " $2 " in *" $1 "*) true ;; *) false ;; esac }
