"""How each CloudFormation stack looks to a client: its phases and its events.

The emulator finishes every operation at once and keeps no event for a resource that failed. AWS takes its time and
tells what happens; so the gate keeps a view of each stack: phases that last a number of polls (the lab's pace), then
a last status, with events spread over the phases.
"""

import time
import uuid
from dataclasses import dataclass, field


@dataclass
class Event:
    """One row of DescribeStackEvents."""

    logical: str
    physical: str
    type: str
    status: str
    reason: str = ""
    at: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Phase:
    """A status that `polls` looks see, with the events that come up in it."""

    status: str
    polls: int
    events: list
    reason: str = ""

    def __post_init__(self):
        self.left = self.polls


@dataclass
class View:
    """One stack, from its creation to after its deletion."""

    name: str
    id: str
    past: list = field(default_factory=list)  # events of earlier operations
    phases: list = field(default_factory=list)  # the last one stays
    keep_status: bool = True  # whether the last phase's status replaces the emulator's
    member: object = None  # the stack's element in DescribeStacks, kept for after its deletion
    resources: list = field(default_factory=list)
    capabilities: list = field(default_factory=list)  # that its last operation was allowed

    def begin(self, phases, keep_status):
        """A new operation."""
        self.past += [e for p in self.phases for e in p.events]
        self.phases, self.keep_status = phases, keep_status
        now = time.time()
        for n, event in enumerate(e for p in phases for e in p.events):
            event.at = now + n / 1000

    @property
    def phase(self):
        """The phase that the stack is in now, or None; phases whose polls are used up are over."""
        while len(self.phases) > 1 and self.phases[0].left <= 0:
            self.past += self.phases.pop(0).events
        return self.phases[0] if self.phases else None

    @property
    def settled(self):
        """Whether the operation is over."""
        return self.is_last(self.phase)

    def is_last(self, phase):
        return phase is None or phase is self.phases[-1]

    def look(self):
        """The phase that this poll sees; counts the poll."""
        phase = self.phase
        if phase:
            phase.left -= 1
        return phase

    def events(self, phase):
        """What a look that saw `phase` may know, oldest first."""
        if phase is None or self.is_last(phase):
            return self.past + (phase.events if phase else [])
        shown = -(-len(phase.events) * (phase.polls - phase.left) // (phase.polls + 1))
        return self.past + phase.events[:shown]


class Views:
    """Views by region and name or id."""

    def __init__(self):
        self._views = {}

    def get(self, region, key):
        """By name (the newest of that name) or by id."""
        return self._views.get((region, key))

    def put(self, region, view):
        self._views[region, view.name] = self._views[region, view.id] = view


def resource_events(resources, status, view):
    """One event for each resource."""
    return [Event(r["logical"], r["physical"] if status != "CREATE_IN_PROGRESS" else "", r["type"], status)
            for r in resources if r["type"] != "AWS::CloudFormation::Stack" or r["physical"] != view.id]


def stack_event(view, status, reason=""):
    return Event(view.name, view.id, "AWS::CloudFormation::Stack", status, reason)


def done(view, verb, resources, polls, undeleted=(), reason=""):
    """The phases of an operation that goes well: CREATE, UPDATE or DELETE. `undeleted`: the events of what an update could not delete at
    its end, and what is then said of the stack."""
    going = [stack_event(view, f"{verb}_IN_PROGRESS", "User Initiated"),
             *resource_events(resources, f"{verb}_IN_PROGRESS", view),
             *resource_events(resources, f"{verb}_COMPLETE", view)]
    if not undeleted:
        return [Phase(f"{verb}_IN_PROGRESS", polls, going), Phase(f"{verb}_COMPLETE", 0, [stack_event(view, f"{verb}_COMPLETE")])]
    cleanup = [stack_event(view, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), *undeleted]
    return [Phase("UPDATE_IN_PROGRESS", polls, going), Phase("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", max(polls, 1), cleanup),
            Phase("UPDATE_COMPLETE", 0, [stack_event(view, "UPDATE_COMPLETE", reason)], reason)]


def failed_create(view, resources, failed, reason, polls, keep, undo=None):
    """The phases of a create in which one resource fails; `keep`: no rollback; `undo`: who of the others cannot be removed again."""
    why = f"The following resource(s) failed to create: [{failed['logical']}]. "
    going = [stack_event(view, "CREATE_IN_PROGRESS", "User Initiated"),
             *resource_events([*resources, failed], "CREATE_IN_PROGRESS", view),
             *resource_events(resources, "CREATE_COMPLETE", view),
             Event(failed["logical"], "", failed["type"], "CREATE_FAILED", reason)]
    first = Phase("CREATE_IN_PROGRESS", polls, going)
    if keep:
        return [first, Phase("CREATE_FAILED", 0, [stack_event(view, "CREATE_FAILED", why)], why)]
    why += "Rollback requested by user."
    back = [stack_event(view, "ROLLBACK_IN_PROGRESS", why), *resource_events(resources, "DELETE_COMPLETE", view)]
    if undo:
        logical, kind, denied = undo
        back = [back[0], Event(logical, "", kind, "DELETE_FAILED", denied)]
        why = f"The following resource(s) failed to delete: [{logical}]. "
        return [first, Phase("ROLLBACK_IN_PROGRESS", polls, back, why),
                Phase("ROLLBACK_FAILED", 0, [stack_event(view, "ROLLBACK_FAILED", why)], why)]
    return [first, Phase("ROLLBACK_IN_PROGRESS", polls, back, why),
            Phase("ROLLBACK_COMPLETE", 0, [stack_event(view, "ROLLBACK_COMPLETE")], why)]


def failed_update(view, logical, kind, reason, polls):
    """The phases of an update that one resource refuses."""
    why = f"The following resource(s) failed to update: [{logical}]. "
    going = [stack_event(view, "UPDATE_IN_PROGRESS", "User Initiated"), Event(logical, "", kind, "UPDATE_FAILED", reason)]
    return [Phase("UPDATE_IN_PROGRESS", polls, going),
            Phase("UPDATE_ROLLBACK_IN_PROGRESS", polls, [stack_event(view, "UPDATE_ROLLBACK_IN_PROGRESS", why)], why),
            Phase("UPDATE_ROLLBACK_COMPLETE", 0, [stack_event(view, "UPDATE_ROLLBACK_COMPLETE")])]


def failed_delete(view, logical, kind, reason, polls):
    """The phases of a delete that one resource refuses."""
    why = f"The following resource(s) failed to delete: [{logical}]. "
    return [Phase("DELETE_IN_PROGRESS", polls, [stack_event(view, "DELETE_IN_PROGRESS", "User Initiated"),
                                                Event(logical, "", kind, "DELETE_FAILED", reason)]),
            Phase("DELETE_FAILED", 0, [stack_event(view, "DELETE_FAILED", why)], why)]
