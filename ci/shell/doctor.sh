#!/usr/bin/env bash
# Runs karpctl doctor and leaves its report in four forms. Settings by the environment:
#   DOCTOR_FILE                the spec file, such as clusters/prod.yaml (default: karpctl.yaml where it is there)
#   CLUSTER_NAME, AWS_REGION   the cluster; where neither these nor the spec file name one, only this machine is looked at
#   DOCTOR_AREAS               such as client,account (default: all, or client where no cluster is named)
#   DOCTOR_FAIL_ON             error (default) or warning
#   DOCTOR_REPORTS             the folder of the reports (default: doctor-reports)
#   KARPCTL                    the program (default: karpctl)
set -euo pipefail
karpctl=${KARPCTL:-karpctl}
reports=${DOCTOR_REPORTS:-doctor-reports}
words=(--fail-on "${DOCTOR_FAIL_ON:-error}")
if [ -n "${DOCTOR_FILE:-}" ]; then words+=(--file "$DOCTOR_FILE"); fi
if [ -z "${CLUSTER_NAME:-}" ] && ! grep -qs '^clusterName:' "${DOCTOR_FILE:-karpctl.yaml}"; then
  words+=(--offline --area "${DOCTOR_AREAS:-client}")
elif [ -n "${DOCTOR_AREAS:-}" ]; then
  words+=(--area "$DOCTOR_AREAS")
fi
# An agent has no kubeconfig, and nobody at it misses one: karpctl gives helm one of its own.
if [ -z "${KUBECONFIG:-}" ] && [ ! -e ~/.kube/config ]; then words+=(--skip exec-kubeconfig); fi
mkdir -p "$reports"
rm -f "$reports/facts.json"
# The world is looked at once; every report says the same of it.
result=0
"$karpctl" doctor "${words[@]}" --save-facts "$reports/facts.json" || result=$?
[ -s "$reports/facts.json" ] || exit "$result"
for format in json junit sarif markdown; do
  "$karpctl" doctor "${words[@]}" --facts "$reports/facts.json" -o "$format" >"$reports/doctor.$format" || true
done
exit "$result"
