"""What was proved, and what was not."""

import sys


class Report:
    """Counts, figures and failures of a sweep."""

    def __init__(self):
        self.checks, self.failures = 0, []

    def check(self, holds, otherwise):
        """Notes whether something holds; says so where it does not."""
        self.checks += 1
        if not holds:
            self.failures.append(otherwise)
            print(f"sweep: FAILED {otherwise}", flush=True)
        return bool(holds)

    def say(self, figures):
        print(f"sweep: {figures}", flush=True)

    def end(self):
        """The exit of the sweep."""
        self.say(f"{self.checks} checks, {len(self.failures)} failed")
        return 1 if self.failures else 0


def fail(words):
    sys.exit(f"sweep: {words}")
