#!/bin/bash
# SPDX-License-Identifier: MIT
# make, verify and remove for a host that OpenTofu or Terraform makes (triphase-provider(7)). The module is the project's, its state is the
# machine's: it lies in the machine's folder, which stays until the state was seen to be empty.
#   vars: {module: tofu, tofu: {size: small}}    both may be left out: the module's folder, and values for its variables
# The module says `backend "local" {}`, declares of the variables name, project, target, host and secrets (name -> path, to be read by
# `file(var.secrets.token)`) those that it uses, and has outputs: address, port, user, key, host_keys, reference and data are the answer.
# Needs tofu or terraform, and python3. Untried: no test runs it (examples/README.md).
set -euo pipefail

request=$(cat)
ask() { printf '%s' "$request" | python3 -c "import json, sys; asked = json.load(sys.stdin); print($1)"; }
never() { echo "$*" >&2 && exit 1; }

call=$(ask 'asked["call"]')
folder=$(ask 'asked["folder"]')
module=$(ask 'asked["vars"].get("module", "tofu")')
state=$folder/terraform.tfstate values=$folder/values.tfvars.json
tofu=$(command -v tofu || command -v terraform) || never "neither tofu nor terraform is in PATH"
export TF_DATA_DIR=$folder/tofu TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

run() { "$tofu" "-chdir=$module" "$@"; }
# Of what it says in JSON, a line each, the words: into the step's log.
words() {
    python3 -c '
import json, sys
for line in sys.stdin:
    try:
        print(json.loads(line)["@message"], file=sys.stderr, flush=True)
    except (ValueError, KeyError, TypeError):
        print(line.rstrip(), file=sys.stderr, flush=True)'
}
ready() {
    ask 'json.dumps({"name": asked["name"], "project": asked["project"]["name"], "target": asked["target"], "host": asked.get("host"),
        "secrets": asked["secrets"], **asked["vars"].get("tofu", {})})' >"$values"
    run init -input=false -no-color "-backend-config=path=$state" >&2
}

case $call in
make)
    ready
    run apply -input=false -auto-approve -json "-var-file=$values" | words
    run output -json | python3 -c '
import json, sys
said = {name: output["value"] for name, output in json.load(sys.stdin).items()}
known = ("address", "port", "user", "key", "jump", "host_keys", "python", "reference", "data")
print(json.dumps({name: said[name] for name in known if said.get(name) is not None}))'
    ;;
verify)
    # What was removed behind its back shows as a drift by deletion.
    ready
    run plan -input=false -json -lock=false "-var-file=$values" >"$folder/plan.ndjson" || {
        words <"$folder/plan.ndjson"
        never "what there is could not be asked for"
    }
    python3 -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
gone = [line for line in lines if line.get("type") == "resource_drift" and line["change"]["action"] == "delete"]
print(json.dumps({"state": "absent" if gone or not sys.argv[2] else "present"}))' "$folder/plan.ndjson" "$(run state list)"
    ;;
remove)
    left=
    # No state: make never came so far.
    if [ -e "$state" ]; then
        ready
        run destroy -input=false -auto-approve -json "-var-file=$values" | words
        left=$(run state list)
    fi
    if [ "$left" ]; then
        echo "still in the state: $left" >&2
        echo '{"state": "present"}'
    else
        echo '{"state": "absent"}'
    fi
    ;;
*)
    never "a call that is not known here: $call"
    ;;
esac
