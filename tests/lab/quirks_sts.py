"""STS: the sessions that the lab itself gave to pods (pod_identity.py) are unknown to the emulator."""

from call import xml


def before(lab, call):
    arn = lab.sessions.get(call.key)
    if call.action != "GetCallerIdentity" or not arn:
        return None
    return xml('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
               f"<Arn>{arn}</Arn><UserId>AROALAB:{arn.rsplit('/', 1)[-1]}</UserId><Account>{lab.account}</Account>"
               "</GetCallerIdentityResult><ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata>"
               "</GetCallerIdentityResponse>")


def after(lab, call, answer):
    return answer
