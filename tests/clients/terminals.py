"""More cases: clients that have a terminal, as they have when a person runs them."""

from cases import B, ECHO, V, answer, case, config, ex

for v in ("v1alpha1", "v1beta1", "v1"):
    for mode in ("IfAvailable", "Always", "Never", "Bogus", '""'):
        case(f"terminal: {v} interactiveMode {mode}", config(ex(v, more=f"interactiveMode: {mode}")), ECHO, typed="")
    case(f"terminal: {v} without interactiveMode", config(ex(v, more="")), ECHO, typed="")
    case(f"terminal: {v} on a screen, nothing to read", config(ex(v, more="interactiveMode: IfAvailable")), ECHO, screen=True)
    case(f"terminal: {v} on a screen, Always", config(ex(v, more="interactiveMode: Always")), ECHO, screen=True)
    case(f"terminal: {v} on a screen, Never", config(ex(v, more="interactiveMode: Never")), ECHO, screen=True, typed="")
    for mode in ("IfAvailable", "Always", "Never"):
        more = f"interactiveMode: {mode}"
        # Nothing is there to be read where the client keeps the terminal to itself.
        asks = 'read -r code; [ "$code" = 1234 ] || exit 1;' + answer(v)
        case(f"terminal: {v} {mode}, the plugin asks for a code", config(ex(v, more=more)), asks, typed="1234\n1234\n")
        case(f"terminal: {v} {mode} on a screen, the plugin asks for a code", config(ex(v, more=more)), asks, typed="1234\n1234\n", screen=True)
        on_tty = 'read -r code </dev/tty; [ "$code" = 1234 ] || exit 1;' + answer(v)
        case(f"terminal: {v} {mode}, the plugin opens the terminal itself", config(ex(v, more=more)), on_tty, typed="1234\n1234\n")
        only = 'case "$KUBERNETES_EXEC_INFO" in *\'"interactive":true\'*) ;; *) exit 1;; esac;' + answer(v)
        case(f"terminal: {v} {mode}, the plugin wants to be interactive", config(ex(v, more=more)), only, typed="")
case("terminal: a token goes before a plugin that is Always interactive", config(ex(more="interactiveMode: Always"), user="token: good-token"), typed="")
case("no terminal: a token goes before a plugin that is Always interactive", config(ex(more="interactiveMode: Always"), user="token: good-token"))
case("terminal: told of the cluster", config(ex("v1", more="interactiveMode: IfAvailable\nprovideClusterInfo: true")), ECHO, typed="")
case("terminal: exec of an unknown version, Always", config(ex(api=f"{V}v2", more="interactiveMode: Always")), ECHO, typed="")
case("terminal: HELM_KUBETOKEN beside Always", config(ex(more="interactiveMode: Always")), "exit 1", env={"HELM_KUBETOKEN": "good-token"}, typed="")
case("terminal: the plain file", B, answer(), typed="")
