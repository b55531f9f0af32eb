"""What the stand-ins for Karpenter's controller share: a thread that looks again and again, with the controller's own AWS credentials."""

import threading

import aws
from kube import KubeError


class StandIn:
    """A controller: what it does at each look is its `look`."""

    NAME, SECONDS = "", 1  # what it is called in the log, and how long until the next look

    def __init__(self, lab, env, credentials, say):
        self.lab, self.key = lab, credentials.env
        self.cluster, self.default_profile = env.get("CLUSTER_NAME", ""), env.get("AWS_DEFAULT_INSTANCE_PROFILE")
        self.say = lambda words: say(f"{self.NAME}: {words}")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"karpenter-{self.NAME}", daemon=True)
        self._thread.start()

    @property
    def running(self):
        return self._thread.is_alive()

    def stop(self):
        self._ended.set()
        self._thread.join(5)

    def as_controller(self):
        """What makes a call through the gate one of the controller's role."""
        return {"key": self.key.get("AWS_ACCESS_KEY_ID", ""), "token": self.key.get("AWS_SESSION_TOKEN"), "port": "gate"}

    def look(self):
        raise NotImplementedError

    def _run(self):
        if not self.key:
            self.say("no AWS credentials; the controller ends, as the real one would")
            return
        while not self._ended.wait(self.SECONDS):
            try:
                self.look()
            except (aws.AwsError, KubeError, OSError, KeyError) as e:
                self.say(repr(e))
