#!/usr/bin/env bash
# ./commerce load: runs a plan of this folder without a window and reports the result. README.md describes the plans.
set -euo pipefail
cd -- "$(dirname -- "$(readlink -f -- "$0")")/.."

LOGS=.data/logs
READY_WITHIN=300 # seconds for a shop that is started here
REST_WITHIN=60   # seconds until what is on its way must have arrived
ENDS_WITHIN=40   # seconds until what was asked to end is killed

# The lines that the report omits, and the lines for steps of a user, which are not requests.
KEPT_APART='^(?!(Set up|Warm-up|Tear down): ).*'
REQUEST='^(GET|POST|PUT) '

export DOTNET_NOLOGO=1 UseSharedCompilation=true MSBUILDDISABLENODEREUSE=1

plans() { for plan in jmeter/*.thresholds; do basename "$plan" .thresholds; done; }

usage() {
  cat <<TEXT
usage: ./commerce load PLAN [OPTION...]

  PLAN           $(plans | paste -sd '|' | sed 's/|/ | /g')
  --users N      how many users (each plan has a default)
  --seconds S    how long it lasts, without the warm-up
  --host URL     the shop (http://localhost:8080); where none answers on this machine, one is
                 started, with nothing in it, and ended afterwards
  --ceiling      measures in the same run what JMeter itself can do here
  --no-audit     does not ask afterwards whether every promise was kept
  --thresholds F another file of thresholds (jmeter/PLAN.thresholds)
  -JNAME=VALUE   a property of the plan, see jmeter/README.md
  -R HOST,...    load generators that run elsewhere

COMMERCE_TOKEN   the token of an administrator; not needed where the shop gives out development tokens
JMETER_HOME      where JMeter 5.6 is, unless jmeter is on the PATH
TEXT
}

die() { printf 'load: %s\n' "$*" >&2; exit 1; }
misuse() { { printf 'load: %s\n\n' "$*"; usage; } >&2; exit 2; }

# ---- processes ----------------------------------------------------------------------------------------------------------------------

# The processes started here. Each has its own session, so that Ctrl-C reaches only this script.
STARTED=()

start() {
  local log=$1
  shift
  env --default-signal=INT,QUIT setsid "$@" </dev/null >"$log" 2>&1 &
  STARTED+=("$!")
}

end() {
  local pid=$1 deadline=$((SECONDS + ENDS_WITHIN))
  kill -TERM "$pid" 2>/dev/null || true
  while kill -0 -- "-$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
  kill -KILL -- "-$pid" 2>/dev/null || true
}

end_all() { for pid in "${STARTED[@]}"; do end "$pid"; done; }
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- JMeter -------------------------------------------------------------------------------------------------------------------------

find_jmeter() {
  local found=
  if [[ -n ${JMETER_HOME:-} ]]; then
    found=$JMETER_HOME/bin/jmeter
    [[ -x $found ]] || die "JMETER_HOME has no bin/jmeter: $JMETER_HOME"
  else
    found=$(command -v jmeter) || die "JMeter is missing: unpack https://jmeter.apache.org/download_jmeter.cgi (5.6 or newer, needs Java 17) and set JMETER_HOME"
  fi
  command -v "${JAVA_HOME:+$JAVA_HOME/bin/}java" >/dev/null || die "Java is missing: JMeter needs 17 or newer"
  printf '%s' "$found"
}

# run_jmeter PLAN FOLDER PROPERTY...: runs JMeter and shows the progress on one line.
run_jmeter() {
  local plan=$1 folder=$2 code=0 pid
  shift 2
  mkdir -p "$folder"
  # Without the forced exit, the threads of an open model keep the process alive for a minute.
  start "$folder/jmeter.out" "$JMETER" -n -t "jmeter/$plan.jmx" -l "$folder/results.jtl" -j "$folder/jmeter.log" -e -o "$folder/report" \
    -Jjmeterengine.force.system.exit=true "-Jjmeter.reportgenerator.sample_filter=$KEPT_APART" \
    "-Jjmeter.reportgenerator.report_title=$plan" -Jjmeter.reportgenerator.overall_granularity=1000 \
    -Jaggregate_rpt_pct1=90 -Jaggregate_rpt_pct2=95 -Jaggregate_rpt_pct3=99 "$@"
  pid=${STARTED[-1]}
  until [[ -e $folder/results.jtl ]] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  if [[ -e $folder/results.jtl ]]; then
    # It runs in the background, because a trap waits for the foreground process.
    tail -n +2 -f --pid="$pid" "$folder/results.jtl" | progress "$plan" &
    wait $!
  fi
  wait "$pid" || code=$?
  unset 'STARTED[-1]'
  # The first failed set-up step has the reason for the later failures.
  set_up_failed "$folder/results.jtl" && exit 1
  ((code == 0)) && [[ -e $folder/report/statistics.json ]] || die "JMeter ended with $code: $(tail -n 1 "$folder/jmeter.out") ($folder/jmeter.log)"
}

# Shows requests per second as JMeter reports them, without transactions.
progress() {
  awk -F, -v plan="$1" '
    function show() { printf "\r%s  %02d:%02d  %s  %d requests  %d/s  %d failed   ", plan, (second - first) / 60, (second - first) % 60, phase, n, n - before, failed; fflush(); before = n }
    /Number of samples in transaction/ { next }
    { now = int($1 / 1000); if (!first) first = second = now
      phase = $3 ~ /^Set up/ ? "set-up  " : $3 ~ /^Warm-up/ ? "warm-up " : $3 ~ /^Tear/ ? "end     " : "running "
      n++; if (/,(text|bin|),false,/) failed++
      if (now > second) { show(); second = now } }
    END { if (n) { show(); print "" } }'
}

set_up_failed() {
  awk -F, '/^[0-9]+,[0-9]+,Set up: / && !/Number of samples/ && /,(text|bin|),false,/ { print "load: " $3 ": " $4 " " $5; found = 1; exit } END { exit !found }' "$1" >&2
}

# ---- the shop -----------------------------------------------------------------------------------------------------------------------

PROTOCOL=http HOST=localhost PORT=8080

# A fresh Debian has no curl.
answers() { (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null; }

address() {
  [[ $1 =~ ^(https?)://([A-Za-z0-9.-]+)(:([0-9]+))?/?$ ]] || misuse "--host wants http(s)://NAME[:PORT], not '$1'"
  PROTOCOL=${BASH_REMATCH[1]} HOST=${BASH_REMATCH[2]} PORT=${BASH_REMATCH[4]}
  # JMeter ignores an empty property and would use the default of the plans.
  [[ -n $PORT ]] || case $PROTOCOL in https) PORT=443 ;; *) PORT=80 ;; esac
}

url() { printf '%s://%s:%s' "$PROTOCOL" "$HOST" "$PORT"; }

start_shop() {
  local pid log=$LOGS/load-up.log
  [[ $PROTOCOL == http && $HOST =~ ^(localhost|127\.0\.0\.1)$ ]] || return 0
  answers && return 0
  echo "No shop answers at $(url): starting one, which ends with this run ($log)"
  # It has its own data, so the developer's database stays as it is.
  start "$log" ./commerce up --port "$PORT" --Data:Keep=false
  pid=${STARTED[-1]}
  SECONDS=0
  until grep -q '^ *healthy ' "$log"; do
    kill -0 "$pid" 2>/dev/null || die "the shop did not start: $(tail -n 1 "$log")"
    ((SECONDS < READY_WITHIN)) || die "the shop is not healthy after $READY_WITHIN s ($log)"
    sleep 0.3
  done
}

# ---- the result ----------------------------------------------------------------------------------------------------------------------

# Prints the report's statistics as lines "step|samples|errors|p50|p95|p99|requests/s".
statistics() {
  awk -F' : ' '
    function value() { sub(/,$/, "", $2); gsub(/"/, "", $2); return $2 }
    /"transaction"/ { name = value() }
    /"sampleCount"/ { n = value() }
    /"errorCount"/ { errors = value() }
    /"medianResTime"/ { p50 = value() }
    /"pct2ResTime"/ { p95 = value() }
    /"pct3ResTime"/ { p99 = value() }
    /"throughput"/ { printf "%s|%d|%d|%.0f|%.0f|%.0f|%.1f\n", name, n, errors, p50, p95, p99, value() }' "$1/report/statistics.json" | sort
}

table() {
  printf '\n%-26s %9s %11s %8s %8s %8s %7s\n' step samples requests/s p50 p95 p99 errors
  statistics "$1" | grep -Ev "$REQUEST|^Total\|" | while IFS='|' read -r name n errors p50 p95 p99 rate; do
    printf '%-26s %9s %11s %5s ms %5s ms %5s ms %7s\n' "$name" "$n" "$rate" "$p50" "$p95" "$p99" "$errors"
  done
}

# Prints each failure once, with its count.
failures() {
  awk -F, '!/Number of samples in transaction/ && $3 !~ /^(Set up|Warm-up|Tear down): / && match($0, /,(text|bin|),false,/) {
      # The message of the assertion, or otherwise the response.
      why = substr($0, RSTART + RLENGTH); if (why ~ /^,/) why = $5; else sub(/,[0-9]+,[0-9]+,[0-9]+,[0-9]+,.*/, "", why)
      count[$3 ": " $4 " " substr(why, 1, 200)]++ }
    END { for (what in count) printf "  %6d  %s\n", count[what], what }' "$1/results.jtl" | sort -rn | head -n 10
}

# Prints the maximum number of requests in one second of the run.
peak() {
  awk -F, '!/Number of samples in transaction/ && $3 !~ /^(Set up|Warm-up|Tear down): / && /^[0-9]+,/ { second[int($1 / 1000)]++ }
    END { for (s in second) if (second[s] > most) most = second[s]; print most + 0 }' "$1/results.jtl"
}

# Checks lines "MEASURE <=|>= VALUE STEP". The step * stands for each step, and all for the whole plan.
thresholds() {
  local folder=$1 file=$2 missed=0 measure sign bound step
  while read -r measure sign bound step; do
    [[ -n $measure && $measure != \#* ]] || continue
    statistics "$folder" | awk -F'|' -v measure="$measure" -v sign="$sign" -v bound="$bound" -v step="$step" -v request="$REQUEST" '
      { name = $1 == "Total" ? "all" : $1 }
      name ~ request || (step == "*" ? name == "all" : name != step) { next }
      { seen = 1
        value = measure == "errors" ? 100 * $3 / $2 : measure == "p50" ? $4 : measure == "p95" ? $5 : measure == "p99" ? $6 : measure == "requests/s" ? $7 : ""
        if (value == "") { printf "  missed  unknown measure %s\n", measure; bad = 1 }
        else if (sign == "<=" ? value > bound + 0 : value < bound + 0) { printf "  missed  %s: %s is %s, not %s %s\n", name, measure, value, sign, bound; bad = 1 } }
      END { if (!seen) { printf "  missed  %s: the step did not happen\n", step; bad = 1 }; exit bad }' || missed=1
  done <"$file"
  return "$missed"
}

audit() {
  local deadline=$((SECONDS + REST_WITHIN)) code
  printf '\nAudit\n'
  while :; do
    code=0
    ./commerce audit "$(url)" >"$1/audit.txt" 2>&1 || code=$?
    # The last accepted requests may not be processed yet.
    ((code == 1 && SECONDS < deadline)) || break
    sleep 2
  done
  cat "$1/audit.txt"
  return "$code"
}

# ---- JMeter's ceiling ---------------------------------------------------------------------------------------------------------------

# Starts the hello-world of bench/, behind the same authentication and in its own process.
ceiling() {
  local folder=$1 port=$((20000 + RANDOM % 10000)) pid
  command -v dotnet >/dev/null || die "--ceiling needs the .NET SDK: it runs the hello-world of bench/"
  dotnet build bench/Commerce.Bench -c Release -v quiet -nologo >"$LOGS/build.log" 2>&1 || die "bench/ does not build ($LOGS/build.log)"
  start "$folder.hello.log" artifacts/bin/Commerce.Bench/release/Commerce.Bench hello "http://127.0.0.1:$port"
  pid=${STARTED[-1]}
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || die "the hello-world did not start ($folder.hello.log)"
    sleep 0.1
  done
  run_jmeter ceiling "$folder" -Jprotocol=http -Jhost=127.0.0.1 "-Jport=$port"
  end "$pid"
  unset 'STARTED[-1]'
  CEILING=$(statistics "$folder" | awk -F'|' '$1 ~ /hello/ { printf "%.0f", $7 }')
}

# ---- run ----------------------------------------------------------------------------------------------------------------------------

plan=${1:-}
case $plan in
  '') usage >&2 && exit 2 ;;
  -h | --help | help) usage && exit 0 ;;
esac
shift
[[ $plan =~ ^[a-z-]+$ && -e jmeter/$plan.thresholds ]] || misuse "no such plan: $plan"
properties=() remote=() audited=1 measured= limits=jmeter/$plan.thresholds CEILING=
while (($#)); do
  case $1 in
    --users | --seconds) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || misuse "$1 wants a number" ;;&
    --users) properties+=("users=$2") && shift ;;
    --seconds) properties+=("duration=$2") && shift ;;
    --host) address "${2:-}" && shift ;;
    --ceiling) measured=1 ;;
    --no-audit) audited= ;;
    --thresholds) [[ -r ${2:-} ]] || misuse "--thresholds wants a file"
      limits=$2 && shift ;;
    -J?*=*) properties+=("${1#-J}") ;;
    -R) [[ -n ${2:-} ]] || misuse "-R wants the load generators"
      remote=(-R "$2") && shift ;;
    *) misuse "load knows no $1" ;;
  esac
  shift
done
properties+=("protocol=$PROTOCOL" "host=$HOST" "port=$PORT")
JMETER=$(find_jmeter)
folder=.data/load/$plan-$(date +%Y%m%d-%H%M%S)
mkdir -p "$LOGS" .data/load
start_shop
[[ -z $measured ]] || ceiling "$folder-ceiling"
# -J sets a property of this process, -G of remote generators.
run_jmeter "$plan" "$folder" "${properties[@]/#/-J}" ${remote[@]+"${remote[@]}" "${properties[@]/#/-G}"}

code=0
{
  table "$folder"
  most=$(peak "$folder")
  printf '\n%s\n' "At most $most requests in a second${CEILING:+; JMeter alone manages $CEILING/s of a hello-world here, so this is $((100 * most / CEILING)) % of what it can}"
  failed=$(failures "$folder")
  [[ -z $failed ]] || printf '\nFailed\n%s\n' "$failed"
  printf '\nThresholds (%s)\n' "$limits"
  if thresholds "$folder" "$limits"; then echo "  all met"; else code=1; fi
  [[ -z $audited ]] || audit "$folder" || code=1
  printf '\n%s\n' "Report: $folder/report/index.html"
} > >(tee "$folder/summary.txt")
wait $! || true
exit "$code"
