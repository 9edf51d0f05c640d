#!/usr/bin/env bash
# A real SLURM of two nodes on one machine, for tests: "cpu-node", and "gpu-node" with stand-ins for GPUs. It needs
# root, SLURM and munge; no systemd, no cgroups.
#
#   two-nodes.sh start FOLDER   installs Debian's packages of what is missing, starts the daemons; then: . FOLDER/env.sh
#   two-nodes.sh stop FOLDER    cancels what runs and ends the daemons
#
# Everything lies in FOLDER, with its own key, sockets and ports: another SLURM of the machine is neither
# read nor touched. The path of FOLDER must be short (sockets) and open to all (munge's user).
# Where it cannot, the last line says why.
#
# Environment: PORT, the first of three (26817); CPUS and MEMORY in MB that each node claims (8 and 256000; more
# than the machine has is all right); GPUS of the GPU node (2).
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

command=$1 folder=$2
port=${PORT:-26817} cpus=${CPUS:-8} gpus=${GPUS:-2} memory=${MEMORY:-256000}
host=$(uname -n) && host=${host%%.*}
nodes=(cpu-node gpu-node)
export SLURM_CONF=$folder/slurm.conf

say() { echo "two-node SLURM: $*" >&2; }
cannot() { say "$*"; exit 1; }
die() { tail -n 20 "$folder"/*.log >&2 || true; cannot "$*"; }

# The daemon whose pid is noted here, not a zombie that nobody reaps. After a dot: its node.
alive() {
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${1%%.*}" ] &&
    ! grep -q '^State:.[ZX]' "/proc/$pid/status"
}

# until_true SECONDS COMMAND...
until_true() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}

# Debian's packages of the programs that are missing.
missing_packages() {
  local program package
  while read -r program package; do
    command -v "$program" >/dev/null || echo "$package"
  done <<'PROGRAMS'
slurmctld slurmctld
slurmd slurmd
srun slurm-client
munged munge
PROGRAMS
}

# apt ARGUMENTS...: never asks, and does not wait for ever for another apt or for a network that is not there.
apt() {
  DEBIAN_FRONTEND=noninteractive timeout 240 apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 \
    -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o Dpkg::Options::=--force-confold \
    "$@" </dev/null >>"$folder/apt.log" 2>&1
}

install_packages() {
  local missing
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || cannot "there is no" $missing "and no apt-get to install it"
  say "installing" $missing
  # The packages' own scripts must not start daemons.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
  fi
  local install=(install --no-install-recommends $missing)
  # The lists of packages may be missing or old. What takes long is fetched first, so that no time limit
  # ends dpkg in its work.
  apt "${install[@]}" --download-only || { apt update && apt "${install[@]}" --download-only; } &&
    apt "${install[@]}" || { tail -n 20 "$folder/apt.log" >&2; cannot "could not install" $missing; }
}

configure() {
  : >"$folder/gres.conf"
  for ((i = 0; i < gpus; i++)); do
    # slurmd wants a device file: another name for /dev/null stands in for a GPU.
    [ -c "$folder/gpu$i" ] || mknod -m 666 "$folder/gpu$i" c 1 3 || cannot "may not make device files"
    echo "NodeName=gpu-node Name=gpu File=$folder/gpu$i" >>"$folder/gres.conf"
  done
  cat >"$folder/cgroup.conf" <<CONF
CgroupAutomount=no
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=no
CONF
  cat >"$folder/slurm.conf" <<CONF
ClusterName=twonodes
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
MpiDefault=none
SwitchType=switch/none
# Processes are followed by their parents and bound to nothing.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Without cgroups the gathered memory is the only limit: a job above its request is ended.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
SlurmdParameters=config_overrides
# A job larger than its node is refused; it would wait for ever.
EnforcePartLimits=ALL
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# First come, first served in each partition.
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
# Ended jobs stay visible to squeue, which Snakemake and the tests ask.
MinJobAge=7200
AccountingStorageType=accounting_storage/none
KillWait=3
WaitTime=5
InactiveLimit=0
ReturnToService=2
GresTypes=gpu
NodeName=DEFAULT CPUs=$cpus RealMemory=$memory State=UNKNOWN
NodeName=cpu-node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1))
NodeName=gpu-node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) Gres=gpu:$gpus
PartitionName=cpu Nodes=cpu-node Default=YES MaxTime=7-00:00:00 DefaultTime=00:10:00 DefMemPerCPU=500 State=UP
PartitionName=gpu Nodes=gpu-node Default=NO MaxTime=7-00:00:00 DefaultTime=00:10:00 DefMemPerCPU=500 State=UP
CONF
  # Snakemake's job step drops every SLURM_* variable before it calls srun: this srun knows its SLURM.
  mkdir -p "$folder/bin"
  printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$folder/bin/srun"
  chmod 755 "$folder/bin/srun"
  printf 'export SLURM_CONF=%s PATH=%s:$PATH\n' "$SLURM_CONF" "$folder/bin" >"$folder/env.sh"
}

start_munge() {
  alive munged && return 0
  mkdir -p "$folder/munge"
  head -c 1024 /dev/urandom >"$folder/munge/key"
  chown -R munge: "$folder/munge" && chmod 700 "$folder/munge" && chmod 600 "$folder/munge/key"
  # The socket's folder must let everyone in; munge may not write the pid file and the socket elsewhere.
  install -d -o munge -m 755 "$folder/munge-run"
  runuser -u munge -- munged --key-file="$folder/munge/key" --socket="$folder/munge-run/socket" \
    --pid-file="$folder/munge-run/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" </dev/null
  ln -sf munge-run/pid "$folder/munged.pid"
  ln -sf munge-run/socket "$folder/munge.socket"
  until_true 20 sh -c "munge -S '$folder/munge.socket' -n | unmunge -S '$folder/munge.socket'" || die "munge does not answer"
}

start() {
  [ "$(id -u)" = 0 ] || cannot "only root can start it"
  mkdir -p "$folder"/{state,spool}
  install_packages
  configure
  start_munge
  alive slurmctld || setsid slurmctld </dev/null >>"$folder/slurmctld.log" 2>&1
  until_true 30 scontrol ping || die "slurmctld does not answer"
  local node
  for node in "${nodes[@]}"; do
    mkdir -p "$folder/spool/$node"
    alive "slurmd.$node" || setsid slurmd -N "$node" </dev/null >>"$folder/slurmd.$node.log" 2>&1
    until_true 40 sh -c "[ \"\$(sinfo -h -N -n $node -o %T)\" = idle ]" || die "$node does not become idle"
  done
  timeout 60 "$folder/bin/srun" -Q -p gpu -t 1 --mem=50 --gpus=1 sh -c 'test -n "$CUDA_VISIBLE_DEVICES"' ||
    die "a job got no GPU"
  say "ready after $SECONDS s"
}

# Processes of jobs that outlived them: without cgroups SLURM loses those whose parent ended first.
outliving() {
  grep -lz "^SLURM_JOB_ID=" $(grep -lzsx "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ) /dev/null 2>/dev/null |
    cut -d / -f 3
}

stop() {
  if alive slurmctld; then
    scancel --user="$(id -un)" || true
    until_true 20 sh -c '[ -z "$(squeue -h)" ]' || say "jobs would not end"
  fi
  for daemon in "${nodes[@]/#/slurmd.}" slurmctld munged; do
    alive "$daemon" || continue
    local pid
    pid=$(cat "$folder/$daemon.pid")
    kill "$pid" || continue
    until_true 15 sh -c "! kill -0 $pid" || ! alive "$daemon" || kill -9 "$pid"
  done
  for pid in $(outliving); do kill -9 "$pid" || true; done
}

case $command in
  start) start ;;
  stop) stop ;;
  *) say "start or stop, not '$command'"; exit 2 ;;
esac
