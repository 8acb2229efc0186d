import type { Family } from '../family.ts'

const context = ['-n', '--namespace', '--context', '--kubeconfig', '--cluster', '--user', '-s', '--server', '--token', '--as', '-f', '--filename', '-l',
  '--selector', '-o', '--output', '-c', '--container', '--kube-context', '-p', '--patch']

/** Sources: kubectl, helm and argocd command references. */
export const kubectl: Family = {
  programs: ['kubectl', 'oc', 'k', 'kubecolor'],
  valueOptions: context,
  guardsProduction: true,
  rules: [
    { sub: 'delete|drain|evict', unlessLine: '--dry-run', class: 'destructive', reason: 'removes from the cluster',
      yes: ['kubectl delete pod x', 'kubectl -n a drain node1', 'kubectl delete ns x --now'], no: ['kubectl delete pod x --dry-run=client', 'kubectl get pods'] },
    { sub: 'delete|drain', line: '--dry-run=none', class: 'destructive', reason: 'removes from the cluster', yes: ['kubectl delete pod x --dry-run=none'],
      no: ['kubectl delete pod x --dry-run=server'] },
    { sub: 'replace', flags: ['--force'], class: 'destructive', reason: 'deletes and makes anew', yes: ['kubectl replace --force -f a.yaml'],
      no: ['kubectl replace -f a.yaml'] },
    { sub: 'apply', flags: ['--prune', '--force'], unlessLine: '--dry-run=(client|server)', class: 'destructive', reason: 'deletes what the files do not name',
      yes: ['kubectl apply --prune -f .'], no: ['kubectl apply -f .'] },
    { sub: 'scale', line: '--replicas[= ]0\\b', class: 'destructive', reason: 'stops a workload', yes: ['kubectl scale deploy/x --replicas=0'],
      no: ['kubectl scale deploy/x --replicas=3'] },
    { sub: 'taint', line: 'NoExecute', class: 'destructive', reason: 'evicts workloads', yes: ['kubectl taint node n a=b:NoExecute'],
      no: ['kubectl taint node n a=b:NoSchedule'] },
    { sub: 'rollout undo', unlessLine: '--dry-run=(client|server)', class: 'destructive', reason: 'puts an older version into service', yes: ['kubectl rollout undo deploy/x'], no: ['kubectl rollout history deploy/x'] },
    { sub: 'patch', line: 'finalizers|"op": ?"remove"|: ?null', unlessLine: '--dry-run=(client|server)', class: 'destructive', reason: 'takes something out of an object', yes: ["kubectl patch pvc x -p '{\"metadata\":{\"finalizers\":null}}'"], no: ["kubectl patch deploy x -p '{\"spec\":{\"replicas\":2}}'"] },
    { sub: 'rollout', arg: '^restart$', class: 'write', reason: 'changes a workload', yes: ['kubectl rollout restart deploy/x'], no: ['kubectl rollout status deploy/x'] },
    { sub: 'create|apply|edit|patch|set|annotate', line: '\\b(cluster)?role(binding)?s?\\b|serviceaccount|\\btoken\\b', unlessLine: '--dry-run=(client|server)', class: 'destructive',
      reason: 'changes who may do what', yes: ['kubectl create clusterrolebinding a --clusterrole=cluster-admin'], no: ['kubectl create deploy x'] },
    { sub: 'adm|certificate|policy', class: 'destructive', reason: 'administers the cluster', yes: ['kubectl certificate approve x', 'oc adm policy add-role-to-user x y'],
      no: ['kubectl get csr'] },
    { sub: 'config delete-*|unset', class: 'destructive', reason: 'removes a cluster from the configuration', yes: ['kubectl config delete-context x'],
      no: ['kubectl config view'] },
    { sub: 'get|describe|logs|top|explain|version|api-resources|api-versions|cluster-info|diff|events|wait|help|completion|kustomize|options|whoami',
      class: 'read', reason: 'only looks', yes: ['kubectl get pods -A', 'kubectl logs -f x'], no: ['kubectl apply -f x'] },
    { sub: 'auth can-i|whoami', class: 'read', reason: 'only asks', yes: ['kubectl auth can-i delete pods'], no: ['kubectl delete pod x'] },
    { sub: 'rollout status|history', class: 'read', reason: 'only looks', yes: ['kubectl rollout status deploy/x'], no: ['kubectl rollout undo deploy/x'] },
    { sub: 'config view|get-*|current-context', class: 'read', reason: 'only looks', yes: ['kubectl config get-contexts'], no: ['kubectl config use-context x'] },
    { sub: 'create|apply|run|delete|set|scale|label|annotate|patch', line: '--dry-run=(client|server)', class: 'read', reason: 'only shows what it would do',
      yes: ['kubectl apply --dry-run=client -f x'], no: ['kubectl apply -f x'] },
  ],
  otherwise: { class: 'write', reason: 'changes the cluster' },
}

export const helm: Family = {
  programs: ['helm', 'helmfile', 'argocd', 'flux', 'skaffold', 'kustomize', 'istioctl', 'k3d', 'kind', 'minikube', 'eksctl', 'kops', 'velero', 'kubeadm', 'k3s', 'talosctl'],
  valueOptions: context,
  guardsProduction: true,
  rules: [
    { sub: 'uninstall|rollback|destroy|reset|del|sync|suspend|apply', unless: ['--dry-run'], unlessLine: '--dry-run', class: 'destructive', reason: 'removes or rolls back a release',
      yes: ['helm uninstall x', 'helmfile destroy'], no: ['helm list', 'helm uninstall x --dry-run'] },
    { sub: 'delete', unlessLine: '--dry-run', class: 'destructive', reason: 'removes a release or a cluster', yes: ['helm -n a delete x', 'minikube delete', 'eksctl delete cluster x'],
      no: ['helm list', 'helm delete x --dry-run'] },
    { sub: '* delete|remove|rm|rollback|sync|suspend|reset|terminate-op|prune|uninstall', unlessLine: '--dry-run', class: 'destructive', reason: 'removes or rolls back',
      yes: ['argocd app delete x'], no: ['argocd app list', 'helm repo list'] },
    { sub: 'push', class: 'destructive', reason: 'publishes a chart', yes: ['helm push a.tgz oci://x'], no: ['helm pull x'] },
    { sub: 'upgrade|install', flags: ['--force'], unlessLine: '--dry-run', class: 'destructive', reason: 'deletes and makes anew', yes: ['helm upgrade --force x y'],
      no: ['helm upgrade --install x y'] },
    { sub: 'list|ls|status|get|history|show|template|lint|search|version|env|help|diff|verify|inspect|build|render|logs|check|analyze|describe|profile|completion|events|tree', class: 'read', reason: 'only looks',
      yes: ['helm template .', 'helm get values x', 'kustomize build .'], no: ['helm upgrade x y'] },
    { sub: '* list|get|diff|history|ls|logs|status', class: 'read', reason: 'only looks', yes: ['argocd app diff x', 'helm repo list'], no: ['argocd app create x'] },
  ],
  otherwise: { class: 'write', reason: 'changes the cluster' },
}
