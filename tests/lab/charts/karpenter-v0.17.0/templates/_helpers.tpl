{{- define "labels" -}}
helm.sh/chart: karpenter-{{ .Chart.Version }}
app.kubernetes.io/name: karpenter
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
