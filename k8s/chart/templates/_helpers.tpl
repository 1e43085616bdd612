{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains "sluice" .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-sluice" (.Release.Name | trunc 43 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{/* Of the pods of this release, whatever their role. */}}
{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Name, namespace and labels of an object; takes (list . "suffix"). */}}
{{- define "sluice.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "sluice.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "sluice.labels" $root | nindent 2 }}
{{- end -}}

{{- define "sluice.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.secretName" -}}
{{- if and .Values.secrets.existing .Values.secrets.files -}}
{{- fail "secrets: give `existing` or `files`, not both; to use `files`, set secrets.existing to \"\"" -}}
{{- end -}}
{{- if not (or .Values.secrets.existing .Values.secrets.files) -}}
{{- fail "secrets: give `existing`, the name of a Secret, or `files` for one that is made" -}}
{{- end -}}
{{ .Values.secrets.existing | default (printf "%s-secrets" (include "sluice.fullname" .)) }}
{{- end -}}

{{/* Where the sockets are: the Services and the PodDisruptionBudget of clients lead there. */}}
{{- define "sluice.edgeComponent" -}}
{{ ternary "edge" "gateway" .Values.splitRoles.enabled }}
{{- end -}}

{{/* The seconds of a duration as the configuration has it: 120, 120s, 2m, 1h, 1d, 500ms. */}}
{{- define "sluice.seconds" -}}
{{- $text := toString . -}}
{{- if hasSuffix "ms" $text -}}
{{ divf (trimSuffix "ms" $text | float64) 1000.0 | ceil }}
{{- else if hasSuffix "m" $text -}}
{{ mulf (trimSuffix "m" $text | float64) 60.0 }}
{{- else if hasSuffix "h" $text -}}
{{ mulf (trimSuffix "h" $text | float64) 3600.0 }}
{{- else if hasSuffix "d" $text -}}
{{ mulf (trimSuffix "d" $text | float64) 86400.0 }}
{{- else -}}
{{ trimSuffix "s" $text | float64 }}
{{- end -}}
{{- end -}}

{{/* The kubelet counts from before preStop, and kills what is left. */}}
{{- define "sluice.checkGracePeriod" -}}
{{- $drain := .Values.config.gateway.drain_timeout | default "30s" -}}
{{- $needed := addf (include "sluice.seconds" $drain | float64) (float64 .Values.preStopSeconds) 7.0 -}}
{{- if gt $needed (float64 .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds: %v is too short: preStopSeconds %v + config.gateway.drain_timeout %v + 2 s + a margin of 5 s; give at least %v" .Values.terminationGracePeriodSeconds .Values.preStopSeconds $drain $needed) -}}
{{- end -}}
{{- end -}}
