#!/usr/bin/env python3
"""The doctor's formats and the spec file against the schemas that their readers use, and the steps for pipelines as they are written.

SARIF is validated against the schema of SARIF 2.1.0, JUnit against the XSD that pytest and Jenkins use, JSON and the file of accepted
findings against karpctl's own published schemas. The steps in ci/ are parsed and their commands run by bash, on this machine alone and
with a cluster in the lab.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KARPCTL = pathlib.Path(os.environ.get("KARPCTL", ROOT / "target/debug/karpctl"))
CACHE = pathlib.Path(os.environ.get("KARPCTL_LAB_CACHE") or pathlib.Path.home() / ".cache/karpctl-lab")
SCHEMAS = CACHE / "schemas"
sys.path.insert(0, str(SCHEMAS / "python"))

import jsonschema  # noqa: E402
import xmlschema  # noqa: E402
import yaml  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/reliability"))
from stage import Stage  # noqa: E402
from ways import BOOTSTRAP, NEWEST, must  # noqa: E402

PLUGIN = """#!/bin/sh
echo 'a warning with <angle> & "quotes" ]]> \x1b[31m' >&2
echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"the-secret-token"}}'
"""
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: "a|b <c> & ::error::"
clusters: [{name: k, cluster: {server: "https://127.0.0.1:1", insecure-skip-tls-verify: true}}]
contexts: [{name: "a|b <c> & ::error::", context: {cluster: k, user: u}}, {name: good, context: {cluster: k, user: v}}]
users:
- {name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: ./plugin}}}
- {name: v, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin}}}
"""


def karpctl(env, *words, code=None):
    ended = subprocess.run([KARPCTL, *words], env=env, cwd=env["HOME"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert code is None or ended.returncode == code, (words, ended)
    assert "the-secret-token" not in ended.stdout + ended.stderr, words
    return ended.stdout


def world(folder):
    (folder / "plugin").write_text(PLUGIN)
    (folder / "plugin").chmod(0o755)
    (folder / "config").write_text(KUBECONFIG)
    (folder / "bin").mkdir()
    for name in ("helm", "kubectl"):
        (folder / "bin" / name).symlink_to(CACHE / "bin" / {"helm": "helm-3.17.3", "kubectl": "kubectl-1.31"}[name])
    (folder / "bin" / "karpctl").symlink_to(KARPCTL)
    path = f"{folder}/bin:{os.environ['PATH']}"
    return {"HOME": str(folder), "PATH": path, "KUBECONFIG": str(folder / "config"), "TMPDIR": str(folder)}


def formats(folder, env):
    """Each format of a report with every kind of finding is what its readers take."""
    doctor = ["doctor", "--offline"]
    karpctl(env, *doctor, "--save-facts", "facts.json", code=1)
    assert "the-secret-token" not in (folder / "facts.json").read_text()
    accepted = {"schema": "karpctl/accepted/v1", "accepted": [{"check": "kubeconfig-readable", "reason": "x", "until": "2099-01-01"}]}
    (folder / "accepted.yaml").write_text(json.dumps(accepted))
    replay = ["doctor", "--facts", "facts.json", "--accepted", "accepted.yaml"]
    report = json.loads(karpctl(env, *replay, "-o", "json", code=1))
    results = {c["result"] for c in report["checks"]}
    assert {"pass", "warn", "fail", "skip"} <= results and any(c.get("accepted") for c in report["checks"]), results
    schema = lambda name: json.loads((ROOT / f"docs/schema/{name}.json").read_text())
    jsonschema.validate(report, schema("doctor"))
    jsonschema.validate(accepted, schema("accepted"))
    sarif = json.loads(karpctl(env, *replay, "-o", "sarif", code=1))
    jsonschema.validate(sarif, json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()))
    assert any("suppressions" in r for r in sarif["runs"][0]["results"]), "what is accepted is suppressed"
    # The schema leaves both open; GitHub refuses a file of which one result has no place, and takes each result for an alert.
    for found in sarif["runs"][0]["results"]:
        place = found["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] and place["region"]["startLine"] > 0 and found["kind"] == "fail", found
    of_team = json.loads(karpctl(env, *replay, "--file", "clusters/team.yaml", "-o", "sarif", code=1))
    assert any(r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "clusters/team.yaml" for r in of_team["runs"][0]["results"])
    junit = karpctl(env, *replay, "-o", "junit", code=1)
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(junit)
    assert junit.count("<failure") == sum(c["result"] == "fail" for c in report["checks"])
    annotations = karpctl(env, *replay, "-o", "github", code=1).splitlines()
    assert len(annotations) == sum(c["result"] in ("fail", "warn") for c in report["checks"]), "what is skipped is for the summary"
    for line in annotations:
        assert re.match(r"::(error|warning|notice) (file=[^,:]*,)?(line=\d+,)?title=[^,:]*::", line), line
    print("formats: JSON, SARIF 2.1.0, JUnit and annotations are what their schemas ask for")


def specs(folder, env):
    """What an editor validates by the published schema: each example and what `init` writes are valid, a misspelt field is found."""
    karpctl(env, "init", "--defaults", "--schema", "--cluster-name", "demo", "--region", "us-west-2", code=0)
    schema = json.loads((folder / "karpctl.schema.json").read_text())
    assert schema == json.loads((ROOT / "docs/karpctl.schema.json").read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    files = [folder / "karpctl.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]
    assert len(files) > 8, files
    for file in files:
        spec = yaml.safe_load(file.read_text())
        wrong = list(validator(schema).iter_errors(spec))
        assert not wrong, (file, wrong)
        assert list(validator(schema).iter_errors({**spec, "clusterNam": "demo"})), file
        assert list(validator(schema).iter_errors({**spec, "nodePool": {"amiAlia": "al2023@latest"}})), file
    (folder / "karpctl.yaml").unlink()
    print(f"specs: {len(files)} files are what the published schema asks for, and with a misspelt field none of them is")


def steps(folder, env):
    """Every step in ci/ on a machine alone, with a kubeconfig that breaks and with a good one."""
    for context, code in (("a|b <c> & ::error::", 1), ("good", 0)):
        text = KUBECONFIG.replace('current-context: "a|b <c> & ::error::"', f'current-context: "{context}"')
        (folder / "config").write_text(text)
        (folder / "config").chmod(0o600)
        each_step(folder, env, {}, code)
    # A runner: helm, kubectl, and no kubeconfig that anybody named or has. A person in the same place is told.
    bare = {k: v for k, v in env.items() if k != "KUBECONFIG"}
    each_step(folder, bare, {}, 0)
    assert "exec-kubeconfig" in karpctl(bare, "doctor", "--offline", "--area", "client", code=1)
    # One that is named and not there fails.
    each_step(folder, {**bare, "KUBECONFIG": str(folder / "gone")}, {}, 1)
    steps_of_a_spec(folder, bare)
    print("steps: the GitHub action, the GitLab template, the CodeBuild buildspec and the shell end as doctor ends")


def steps_of_a_spec(folder, env):
    """A spec file that names a cluster is looked at with AWS, one that cannot be read ends each step with its own words and no report."""
    (folder / "clusters").mkdir()
    spec = folder / "clusters/team.yaml"
    spec.write_text("clusterName: team\nregion: us-west-2\n")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    of_spec = {"file": "clusters/team.yaml"}
    for said in each_step(folder, {**env, **keys}, of_spec, 1):
        assert "aws-credentials" in said, said
    spec.write_text("clusterName: team\nregoin: us-west-2\n")
    each_step(folder, env, of_spec, 2)


def steps_on_a_cluster():
    """Every step in ci/ with a cluster in the lab: one that has all that it needs, and one whose controller is nobody any more."""
    stage = Stage(KARPCTL)
    try:
        stage.make_cluster(launch_template=True)
        # no DNS runs in the lab's clusters
        (stage.work / "karpctl.yaml").write_text(
            f"existingCluster: true\nkarpenterVersion: {NEWEST}\nchart: {{values: {{dnsPolicy: Default}}}}\n")
        must(stage.run(BOOTSTRAP))
        (stage.work / "bin").mkdir()
        (stage.work / "bin/karpctl").symlink_to(KARPCTL)
        path = f"{stage.work}/bin:{stage.env['PATH']}"
        env = {**stage.env, "HOME": str(stage.work), "PATH": path, "KUBECONFIG": stage.ready["kubeconfig"]}
        of_cluster = {"cluster-name": stage.cluster, "region": "us-west-2"}
        aws = lambda *words: subprocess.run(["aws", *words, "--output", "json"], env=env, capture_output=True, text=True, check=True).stdout
        named = ("--cluster-name", stage.cluster)
        # a new account may run little
        aws("service-quotas", "request-service-quota-increase", "--service-code", "ec2", "--quota-code", "L-1216C47A", "--desired-value", "64")
        each_step(stage.work, env, of_cluster, 0)
        (stage.work / "clusters").mkdir()
        (stage.work / "clusters/team.yaml").write_text(
            (stage.work / "karpctl.yaml").read_text() + f"clusterName: {stage.cluster}\nregion: us-west-2\n")
        each_step(stage.work, env, {"file": "clusters/team.yaml"}, 0)
        for association in json.loads(aws("eks", "list-pod-identity-associations", *named))["associations"]:
            aws("eks", "delete-pod-identity-association", *named, "--association-id", association["associationId"])
        for said in each_step(stage.work, env, of_cluster, 1):
            assert "controller-association" in said, said
    finally:
        stage.stop()
    print("steps: with a cluster, too")


def jobs():
    """Every whole job of the page has an image with a shell and the programs, and no session longer than the page's role gives."""
    page = (ROOT / "docs/pipelines.md").read_text()
    image = re.search(r"Below it is `(\S+)`", page)[1]
    assert {"karpctl", "helm", "eksctl"} <= set(re.search(r"^COPY (.*)$", page, re.M)[1].split()), "what the image has"
    read = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.S)]
    of_github = [job for workflow in read for job in workflow.get("jobs", {}).values()]
    of_gitlab = [job for workflow in read for job in workflow.values() if isinstance(job, dict) and "script" in job]
    assert len(of_github) == 2 and len(of_gitlab) == 1, read
    assert [job.get("container") for job in of_github] == [image] * 2 and of_gitlab[0]["image"] == image
    asked = [step["with"]["role-duration-seconds"] for job in of_github for step in job["steps"] if "role-duration-seconds" in step.get("with", {})]
    assert all(f"--max-session-duration {seconds}" in page for seconds in asked), asked
    inputs = yaml.safe_load((ROOT / "ci/github/action.yml").read_text())["inputs"]
    for workflow in read:
        steps = [step for job in workflow.get("jobs", {}).values() for step in job["steps"]]
        of_ours = [step for step in steps if step.get("uses") == "./ci/github"]
        assert all(set(step["with"]) <= set(inputs) for step in of_ours), of_ours
        if any("upload-sarif" in step.get("uses", "") for step in steps):
            assert workflow["permissions"]["security-events"] == "write"
    print("jobs: those of docs/pipelines.md have their programs, their time and their permissions")


def only_once(ended):
    """Whether one error is told, and no other after it."""
    return ended.stderr.count("error: ") == 1


def of_action(folder, action):
    """What the action leaves: its outputs, each a file with something in it, and a summary."""
    made = dict(line.split("=", 1) for line in (folder / "out").read_text().splitlines())
    assert {f"steps.doctor.outputs.{name}" for name in made} == {
        re.search(r"steps\.\S+", o["value"])[0] for o in action["outputs"].values()
    }
    assert all(pathlib.Path(file).stat().st_size for file in made.values())
    assert "# karpctl doctor" in (folder / "summary").read_text()


def each_step(folder, env, inputs, code):
    """Every step in ci/ is read as its service reads it, and its commands are run as they are written; what each says of what it found."""
    bash = lambda script, more: subprocess.run(
        ["bash", "-e", "-c", script], env={**env, **more}, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    shutil.rmtree(folder / "doctor-reports", ignore_errors=True)
    for left in ("doctor.xml", "doctor.md", "doctor-facts.json"):
        (folder / left).unlink(missing_ok=True)
    action = yaml.safe_load((ROOT / "ci/github/action.yml").read_text())
    step = action["runs"]["steps"][0]
    found = []
    given = {**{name: spec["default"] for name, spec in action["inputs"].items()}, **inputs}
    given = {k: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda m: given[m[1]], v) for k, v in step["env"].items()}
    for name in ("out", "summary"):
        (folder / name).write_text("")
    runner = {"GITHUB_OUTPUT": str(folder / "out"), "GITHUB_STEP_SUMMARY": str(folder / "summary"), "RUNNER_TEMP": str(folder)}
    ended = bash(step["run"], {**given, **runner})
    assert ended.returncode == code and ("::error" in ended.stdout) == (code == 1), ended
    begun = code < 2
    if begun:
        found.append(ended.stdout)
        of_action(folder, action)
    else:
        assert only_once(ended) and not (folder / "out").read_text() + (folder / "summary").read_text(), ended

    names = {"cluster-name": "CLUSTER_NAME", "region": "AWS_REGION", "file": "DOCTOR_FILE"}
    variables = {names[name]: value for name, value in inputs.items()}
    job = yaml.safe_load((ROOT / "ci/gitlab/karpctl-doctor.yml").read_text())["karpctl-doctor"]
    ended = bash("\n".join(job["script"]), {**job["variables"], **variables})
    assert ended.returncode == code, ended
    report = folder / job["artifacts"]["reports"]["junit"]
    if begun:
        junit = report.read_text()
        xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(junit)
        assert all((folder / file).exists() for file in job["artifacts"]["paths"])
        found.append(junit)
    else:
        assert only_once(ended) and not report.exists(), ended

    spec = yaml.safe_load((ROOT / "ci/codebuild/buildspec.yml").read_text())
    ended = bash("\n".join(spec["phases"]["build"]["commands"]), {**spec["env"]["variables"], **variables})
    assert ended.returncode == code, ended
    group = spec["reports"]["karpctl-doctor"]
    report = folder / group["base-directory"] / group["files"][0]
    if begun:
        found.append(report.read_text())
    else:
        assert only_once(ended) and not report.exists(), ended

    ended = bash(f"'{ROOT}/ci/shell/doctor.sh'", variables)
    assert ended.returncode == code, ended
    if not begun:
        assert only_once(ended), ended
        return found
    for format in ("json", "junit", "sarif", "markdown"):
        assert (folder / "doctor-reports" / f"doctor.{format}").stat().st_size, format
    found.append(ended.stdout)
    return found


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        env = world(folder)
        formats(folder, env)
        specs(folder, env)
        steps(folder, env)
    jobs()
    steps_on_a_cluster()


if __name__ == "__main__":
    main()
