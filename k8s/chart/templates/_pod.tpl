{{/* The template of a pod; takes (list . component roles). The pods of both roles are the same but for these. */}}
{{- define "sluice.podTemplate" -}}
{{- $root := index . 0 -}}
{{- with $root -}}
metadata:
  labels:
    {{- include "sluice.selector" . | nindent 4 }}
    app.kubernetes.io/part-of: sluice
    app.kubernetes.io/component: {{ index $ 1 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Read by the container below.
    sluice/roles: {{ index $ 2 }}
    # A changed configuration is a rollout like any other.
    checksum/config: {{ toYaml .Values.config | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "sluice.fullname" . }}
  automountServiceAccountToken: false
  # No variables for every Service of the namespace: configuration comes from one place.
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    # Of the files of the Secret, which only this group may read.
    fsGroup: 1000
    seccompProfile:
      type: RuntimeDefault
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "sluice.selector" $root | nindent 10 }}
      # Each rollout is spread by itself: pods that are about to go do not count.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  containers:
    - name: gateway
      image: {{ include "sluice.image" . }}
      {{- with .Values.image.pullPolicy }}
      imagePullPolicy: {{ . }}
      {{- end }}
      args: [start, --config, /etc/sluice/config/gateway.yaml]
      env:
        - name: SLUICE_GATEWAY__ROLES
          valueFrom:
            fieldRef:
              fieldPath: metadata.annotations['sluice/roles']
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ .Values.config.gateway.port }}
        - name: admin
          containerPort: {{ .Values.config.gateway.admin_port }}
      # Ready in well under a second; a Redis that is not there yet ends it with status 75, and the kubelet
      # tries again.
      startupProbe:
        httpGet: { path: /live, port: admin }
        periodSeconds: 1
        failureThreshold: 30
      # 503 while it drains, while Redis is away, while the event loop lags by more than 1 s.
      readinessProbe:
        httpGet: { path: /ready, port: http }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      # Not Redis: restarting all nodes would not bring it back. An event loop stuck for 10 s only. On the port
      # that clients cannot fill: a node without room for them is alive.
      livenessProbe:
        httpGet: { path: /live, port: admin }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      lifecycle:
        preStop:
          exec:
            # SIGTERM comes behind it. Until then the node serves everything, while load balancers take it off
            # their lists: none of them sends an upgrade to a node that refuses it.
            command: [sleep, {{ .Values.preStopSeconds | toString | quote }}]
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: config
          mountPath: /etc/sluice/config
          readOnly: true
        - name: secrets
          mountPath: /etc/sluice/secrets
          readOnly: true
        {{- with .Values.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "sluice.fullname" . }}-config
    - name: secrets
      secret:
        secretName: {{ include "sluice.secretName" . }}
        # 0440
        defaultMode: 288
    {{- with .Values.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end -}}
