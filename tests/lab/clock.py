"""AWS's clock, which the setting `clock` puts so many seconds ahead of this machine's, or behind it: all answers tell AWS's time, and
what is signed more than five minutes away from it is refused."""

import email.utils
import time
from datetime import datetime, timezone

from call import Answer, error

STAMP = "%Y%m%dT%H%M%SZ"
LIMIT = 300


def stamp(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(STAMP)


def refuse(lab, call):
    """The refusal of a signature that is too old or too new, else None."""
    if not lab.settings["clock"]:
        return None
    try:
        signed = datetime.strptime(call.headers.get("x-amz-date", ""), STAMP).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None
    now = time.time() + lab.settings["clock"]
    if signed < now - LIMIT:
        why = f"Signature expired: {stamp(signed)} is now earlier than {stamp(now - LIMIT)} ({stamp(now)} - 5 min.)"
    elif signed > now + LIMIT:
        why = f"Signature not yet current: {stamp(signed)} is still later than {stamp(now + LIMIT)} ({stamp(now)} + 5 min.)"
    else:
        return None
    query = "Action" in call.params
    return error(call, "SignatureDoesNotMatch" if query else "InvalidSignatureException", why, 403)


def told(lab, answer):
    """The answer with AWS's time on it."""
    if not lab.settings["clock"]:
        return answer
    kept = {k: v for k, v in answer.headers.items() if k.lower() != "date"}
    date = email.utils.formatdate(time.time() + lab.settings["clock"], usegmt=True)
    return Answer(answer.status, {**kept, "Date": date}, answer.body)
