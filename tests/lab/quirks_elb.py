"""Elastic Load Balancing, of both generations: nobody makes load balancers here. AWS does not find one that is named; the emulator answers
with none, and eksctl then waits until it is gone."""

from call import error

NAMED = ("LoadBalancerNames.member.1", "Names.member.1")


def before(lab, call):
    name = next((call.params[key] for key in NAMED if key in call.params), None)
    if call.action != "DescribeLoadBalancers" or name is None:
        return None
    return error(call, "LoadBalancerNotFound", f"There is no ACTIVE Load Balancer named '{name}'")


def after(lab, call, answer):
    return answer
