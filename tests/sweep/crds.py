"""Every rendered Kubernetes object, put to the real API server with the real CRDs: a dry run that refuses unknown fields.

A CRD is taken as it is but for two things: the version under test is the one that is stored, and there is no conversion webhook,
which would have to run for a dry run to end.
"""

import copy
import json
import re
import ssl
import time
import urllib.error
import urllib.request

import official

STRICT = "?dryRun=All&fieldValidation=Strict&fieldManager=karpctl"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# What each kind must not be taken with: a field that nothing has.
STRAY = "  karpctlKnowsNoSuchField: true\n"
# Tags of nodes, and what Karpenter keeps for itself, which some CRDs refuse by a rule.
OWN_TAGS = ("kubernetes.io/cluster/demo", "eks:eks-cluster-name", "karpenter.sh/nodepool", "karpenter.sh/nodeclaim",
            "karpenter.sh/provisioner-name", "karpenter.sh/managed-by", "karpenter.k8s.aws/ec2nodeclass")
TAGGED = '"on":"1e3"'
TAGS = [word for key in ("on", *OWN_TAGS) for word in ("--tag", f"{key}=1e3")]


class ApiServer:
    """The API server behind an administrator's kubeconfig of the lab."""

    def __init__(self, kubeconfig):
        config = json.loads(open(kubeconfig).read())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.url, self.token = cluster["server"], user["token"]
        self.tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self.paths = {}

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, answer)."""
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else body.encode(),
                                         headers={"authorization": f"Bearer {self.token}", "content-type": kind})
        try:
            with urllib.request.urlopen(request, context=self.tls) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            text = e.read().decode()
            try:
                return e.code, json.loads(text)
            except json.JSONDecodeError:
                return e.code, {"message": text}

    def path(self, api, kind):
        """Where objects of a kind are made."""
        if (api, kind) not in self.paths:
            root = f"/apis/{api}" if "/" in api else f"/api/{api}"
            status, answer = self.ask("GET", root)
            found = [r for r in answer.get("resources", []) if r["kind"] == kind and "/" not in r["name"]]
            if status != 200 or not found:
                raise AssertionError(f"the API server knows no {kind} of {api}")
            namespace = "namespaces/default/" if found[0]["namespaced"] else ""
            self.paths[api, kind] = f"{root}/{namespace}{found[0]['name']}"
        return self.paths[api, kind]

    def served(self, text):
        """(the text, None), or the text with the version of its API that is served, and the version that it asked for."""
        api = official.load(text)["apiVersion"]
        group, _, version = api.rpartition("/")
        status, answer = self.ask("GET", f"/apis/{group}") if group else (200, None)
        if not group or version in {v["version"] for v in answer["versions"]}:
            return text, None
        return text.replace(f"apiVersion: {api}", f"apiVersion: {answer['preferredVersion']['groupVersion']}"), api

    def dry_run(self, text):
        """Makes an object without making it, from the text as it was rendered: None, or why not."""
        head = official.load(text)
        namespace = head["metadata"].get("namespace")
        path = self.path(head["apiVersion"], head["kind"]).replace("/default/", f"/{namespace}/" if namespace else "/default/")
        status, answer = self.ask("POST", path + STRICT, text, "application/yaml")
        return None if status == 201 else f"{status} {answer.get('message', answer)}"

    def install(self, crd, version):
        """Puts a CRD there, and waits until the version is served."""
        crd = copy.deepcopy(crd)
        crd["spec"].pop("conversion", None)
        crd.pop("status", None)
        for v in crd["spec"]["versions"]:
            v["storage"] = v["name"] == version
        status, answer = self.ask("POST", CRDS, json.dumps(crd))
        if status != 201:
            raise AssertionError(f"the CRD {crd['metadata']['name']} is not taken: {answer.get('message')}")
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        self.paths[f"{group}/{version}", crd["spec"]["names"]["kind"]] = f"/apis/{group}/{version}/{plural}"
        self._until(lambda: self.ask("GET", f"/apis/{group}/{version}/{plural}")[0] == 200, f"{plural} served")
        return crd["metadata"]["name"]

    def remove(self, name):
        """Takes a CRD away, and waits until it is gone."""
        self.ask("DELETE", f"{CRDS}/{name}")
        self._until(lambda: self.ask("GET", f"{CRDS}/{name}")[0] == 404, f"{name} gone")

    @staticmethod
    def _until(true, what, seconds=60):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not in {seconds} s")
            time.sleep(0.05)


def objects(documents):
    """The texts of the Kubernetes objects among a release's documents."""
    found = []
    for name, text in documents.items():
        if not re.search(r"^apiVersion: (?!eksctl)", text, re.M):
            continue
        for part in re.split(r"^---\n", text, flags=re.M):
            if re.search(r"^kind: ", part, re.M):
                found.append((name, part))
    return found


def prove_versions(source, known, report):
    """What the table says is served and stored is what the CRDs say."""
    compared, same = 0, 0
    for release, row in known.items():
        crds = source.own_crds(release)
        official = {c["metadata"]["name"]: {"served": [v["name"] for v in c["spec"]["versions"] if v["served"]],
                                            "storage": next(v["name"] for v in c["spec"]["versions"] if v["storage"])} for c in crds}
        if official:
            compared += 1
            same += report.check(row["crdVersions"] == official, f"the versions of the CRDs of {release}: the table says {row['crdVersions']}, "
                                                                 f"the CRDs {official}")
    report.say(f"CRDs: versions served and stored as the table says in {same} of {compared} releases")


def prove(server, source, rendered, known, karpctl, report):
    """All objects of all releases, and the node pools with tags."""
    prove_versions(source, known, report)
    jobs, builtin, tiers = {}, {}, {}
    for release, documents in rendered.items():
        tagged = karpctl.run("render", "node-pool", "--karpenter-version", release, *karpctl.place, *TAGS)
        documents = {**documents, "tagged": tagged}
        tier = set()
        for name, text in objects(documents):
            head = official.load(text)
            kind, version = head["kind"], head["apiVersion"].split("/")[-1]
            if kind not in official.KINDS:
                builtin.setdefault(text, []).append(release)
                continue
            near, origin, crd = source.crd(kind, version, release)
            tier.add(near)
            if crd is not None:
                jobs.setdefault((kind, version, origin), (crd, {}))[1].setdefault(text, []).append(release)
        tiers.setdefault("none" if "none" in tier else "other" if "other" in tier else "core" if "core" in tier else "own", []).append(release)
    put = taken = refused = ruled = held = 0
    for (kind, version, origin), (crd, texts) in jobs.items():
        name = server.install(crd, version)
        for text, releases in texts.items():
            why = server.dry_run(text)
            put += 1
            taken += report.check(why is None, f"{kind} {version} of {releases[0]} with the CRD of {origin}: {why}")
        # The negative control: the same object with a field that the CRD does not have.
        why = server.dry_run(re.sub(r"^spec:\n", f"spec:\n{STRAY}", text, flags=re.M)) or ""
        refused += report.check("karpctlKnowsNoSuchField" in why, f"{kind} {version}, CRD of {origin}: takes a field that it has not; said: {why}")
        tagged = next((t for t in texts if TAGGED in t), None)
        if tagged and "restricted tag" in json.dumps(crd):
            ruled += 1
            why = server.dry_run(tagged.replace(TAGGED, '"karpenter.sh/nodepool":"1e3"')) or ""
            held += report.check("restricted tag" in why, f"{kind} {version}, CRD of {origin}: takes a tag of Karpenter's own; said: {why}")
        server.remove(name)
    old = {}
    for text, releases in builtin.items():
        text, asked = server.served(text)
        if asked:
            old.setdefault(asked, []).extend(releases)
        why = server.dry_run(text)
        put += 1
        taken += report.check(why is None, f"an object of {releases[0]}: {why}\n{text}")
        why = server.dry_run(re.sub(r"^spec:\n", f"spec:\n{STRAY}", text, flags=re.M)) or ""
        refused += report.check("karpctlKnowsNoSuchField" in why, f"an object of {releases[0]} is taken with a field that it has not: {why}")
    for api, releases in old.items():
        names = " ".join(dict.fromkeys(releases))
        report.say(f"CRDs: {api} is served no longer; judged by the version of today: {names}")
    words = {"own": "by their own CRDs", "core": "by their own CRDs but for AWS's label rules", "other": "only by the CRDs of another release with the same API",
             "none": "without any CRD of their API in a package"}
    report.say(f"CRDs: {taken} of {put} different objects taken, with {len(jobs)} different CRDs; {refused} of {len(jobs) + len(builtin)} with a "
               f"stray field refused; {held} of {ruled} with a rule about tags refuse one of Karpenter's own")
    for near in ("own", "core", "other", "none"):
        if near in tiers:
            report.say(f"CRDs: {len(tiers[near])} releases judged {words[near]}" + (f": {' '.join(tiers[near])}" if near in ("other", "none") else ""))
