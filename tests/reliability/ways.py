"""The ways that are broken off and met with faults, and the worlds that they are tried in."""

import re
from dataclasses import dataclass

from stage import Stage, differences

NEWEST, BEFORE = "1.14.1", "1.0.8"
# Kubernetes that both releases support, so that one cluster can be upgraded from the one to the other
KUBERNETES = "1.31"
EXISTING = ["--existing-cluster", "--yes", "--timeout", "120s"]
BOOTSTRAP = ["bootstrap", *EXISTING, "--karpenter-version", NEWEST]
OLDER = ["bootstrap", *EXISTING, "--karpenter-version", BEFORE]
DESTROY = ["destroy", *EXISTING, "--delete-crds"]
NEW = ["bootstrap", "--yes", "--timeout", "300s"]
NEW_DESTROY = ["destroy", "--yes", "--timeout", "300s"]


@dataclass(frozen=True)
class Way:
    """A command, what is there when it begins and when it is over, and the command that follows when it was broken off."""

    name: str
    words: list
    start: str
    end: str
    then: list
    existing: bool = True


WAYS = {w.name: w for w in (
    Way("bootstrap", BOOTSTRAP, "empty", "newest", BOOTSTRAP),
    Way("destroy", DESTROY, "newest", "empty", DESTROY),
    Way("upgrade", BOOTSTRAP, "older", "newest", BOOTSTRAP),
    Way("bootstrap-then-destroy", BOOTSTRAP, "empty", "empty", DESTROY),
    Way("new-cluster", NEW, "empty", "newest", NEW, existing=False),
    Way("new-cluster-then-destroy", NEW, "empty", "empty", NEW_DESTROY, existing=False),
    Way("new-cluster-destroy", NEW_DESTROY, "newest", "empty", NEW_DESTROY, existing=False),
)}
# how a world is brought from one state to another, undisturbed
MOVES = {
    True: {"newest": BOOTSTRAP, "older": OLDER, "empty": DESTROY},
    False: {"newest": NEW, "empty": NEW_DESTROY},
}


class Failed(Exception):
    """Something is not as it should be, with all that was said."""


def must(ran):
    """A run that ends well."""
    if ran.code != 0:
        raise Failed(ran.text())
    return ran


class World:
    """One stage whose state is known, used for try after try; made anew after a failure, which may have left anything."""

    made_of = {}  # what an existing cluster is made of, beside its version

    def __init__(self, karpctl):
        self.karpctl, self.stage, self.existing, self.state = karpctl, None, None, None

    def fresh(self, existing):
        self.close()
        self.stage, self.existing, self.state = Stage(self.karpctl), existing, "empty"
        if existing:
            self.stage.make_cluster(version=KUBERNETES, **self.made_of)
        self.empty = self.stage.inventory()

    def close(self):
        if self.stage:
            self.stage.stop()
        self.stage = self.state = None

    def is_at(self, way):
        """Whether a way can begin here and now."""
        return self.stage is not None and (self.existing, self.state) == (way.existing, way.start)

    def bring(self, existing, state):
        """To where something begins. A destroy on the way there must leave nothing."""
        if self.stage is None or self.existing != existing:
            self.fresh(existing)
        if self.state not in (state, "empty"):
            self.move("empty")
            if left := differences(normal(self.empty), normal(self.stage.inventory())):
                raise Failed("destroy leaves:\n" + "\n".join(left))
        if self.state != state:
            self.move(state)

    def move(self, state):
        must(self.stage.run(MOVES[self.existing][state]))
        self.state = state

    def undisturbed(self, way):
        """What a way does (its deeds), and the inventory that it ends with, and HOME."""
        self.bring(way.existing, way.start)
        deeds = must(self.stage.run(way.words)).deeds
        if way.then != way.words:
            must(self.stage.run(way.then))
        self.state = way.end
        return deeds, {**normal(self.stage.inventory()), "home": self.stage.home()}

    def differs(self, wanted):
        """In what there is something else than an undisturbed way ends with. HOME may lack what a way that had less to do did not come to write."""
        home = [f"home: {file} is too much" for file in self.stage.home() if file not in wanted["home"]]
        return home + differences({k: v for k, v in wanted.items() if k != "home"}, normal(self.stage.inventory()))

    def is_over(self, way, wanted):
        """There is what an undisturbed way ends with, and a further run finds nothing to do and changes nothing."""
        self.stage.quiet()
        # Before the further run, which clears away what a dead one left.
        if left := self.differs(wanted):
            raise Failed("the inventory differs:\n" + "\n".join(left))
        last = must(self.stage.run(way.then))
        if "Nothing to do" not in last.out + last.err:
            raise Failed(f"a further run finds something to do\n{last.text()}")
        if left := self.differs(wanted):
            raise Failed("the inventory differs after a further run:\n" + "\n".join(left))
        self.state = way.end


MADE_UP = ("vpcs", "subnets", "security_groups", "discovery_tagged", "instances", "nodes", "launch_templates")


def normal(inventory):
    """Without what AWS makes up: how many there are of what has only an id, and names without CloudFormation's ending. Nor with what
    helm's history keeps of a change that failed before the one that did not."""
    def plain(kind, names):
        if kind == "helm_standing":
            names = [n for n in names if not (n.endswith(" failed") and n.replace(" failed", " deployed") in names)]
        if kind in MADE_UP:
            return [f"{len(names)} of them"]
        return sorted(re.sub(r"-[A-Z0-9]{12,13}(?=$|:)", "-…", str(n)) for n in names)
    return {area: {kind: plain(kind, names) for kind, names in found.items()} if isinstance(found, dict) else found
            for area, found in inventory.items()}


def chosen(count, sample):
    """Numbers from 1: all, or the middles of so many equal parts. No two runs make quite the same requests, so the last may be beyond."""
    if not sample or sample >= count:
        return list(range(1, count + 1))
    return sorted({1 + int((k + 0.5) * count / sample) for k in range(sample)})


def spread(at):
    """Puts numbers in an order in which those tried so far always lie evenly over the way (a bit-reversed count)."""
    return int(f"{at:012b}"[::-1], 2)
