{{/* Labels of everything of one role. */}}
{{- define "photofeed.labels" -}}
app.kubernetes.io/name: photofeed
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "photofeed.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}photofeed-{{ .image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Variables: settings in the open, secrets by reference. */}}
{{- define "photofeed.env" -}}
{{- $secretKeys := .root.Values.secretKeys -}}
{{- $settings := .root.Values.settings -}}
{{- $secret := required "secretName: name a Secret that has the variables of secretKeys" .root.Values.secretName -}}
{{- $needed := list "PHOTOFEED_DATABASE_URL" "PHOTOFEED_REDIS_URL" "PHOTOFEED_CURSOR_SECRET" -}}
{{- if or (not (hasKey $settings "PHOTOFEED_S3_ACCESS_KEY")) (get $settings "PHOTOFEED_S3_ACCESS_KEY") -}}
{{- $needed = append $needed "PHOTOFEED_S3_SECRET_KEY" -}}
{{- end -}}
{{- if get $settings "PHOTOFEED_KAFKA_SASL_USERNAME" -}}
{{- $needed = append $needed "PHOTOFEED_KAFKA_SASL_PASSWORD" -}}
{{- end -}}
{{- range $needed }}
{{- if not (has . ($secretKeys | default list)) }}
{{- fail (printf "secretKeys: %s is missing: add it, and its value to the Secret %s" . $secret) }}
{{- end }}
{{- end }}
{{- range $name, $value := $settings }}
{{- if or (has $name $secretKeys) (regexMatch "SECRET|PASSWORD|TOKEN|DATABASE_(DIRECT_)?URL|REDIS_URL" $name) }}
{{- fail (printf "settings: %s is a secret: put it into the Secret %s and name it in secretKeys" $name $secret) }}
{{- end }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- range $secretKeys }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ . }}}}
{{- end }}
{{- end }}

{{/* What every pod has: no root, no rights, a read-only root, no token of the cluster. */}}
{{- define "photofeed.pod" -}}
serviceAccountName: {{ .root.Values.serviceAccountName }}
automountServiceAccountToken: false
enableServiceLinks: false  # the variables of a Service called photofeed would be taken for settings
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - {name: state, emptyDir: {}}
  - {name: tmp, emptyDir: {}}
{{- end }}

{{- define "photofeed.container" -}}
name: {{ .role }}
image: {{ include "photofeed.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
env:
{{- include "photofeed.env" . | nindent 2 }}
resources: {{- toYaml .resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: state, mountPath: /var/lib/photofeed}
  - {name: tmp, mountPath: /tmp}
{{- end }}
