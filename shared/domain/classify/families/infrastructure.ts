import type { Family } from '../family.ts'

/** Sources: terraform, pulumi, cdk and ansible command references. */
export const terraform: Family = {
  programs: ['terraform', 'tofu', 'terragrunt', 'tf', 'cdktf', 'terramate'],
  valueOptions: ['-var', '-var-file', '-target', '-out', '-state', '-backend-config'],
  rules: [
    { sub: '** apply|destroy|deploy|apply-all|destroy-all', class: 'destructive', reason: 'changes or destroys real infrastructure',
      yes: ['terraform apply', 'terraform -chdir=x destroy -auto-approve', 'terragrunt run-all apply'], no: ['terraform plan -destroy', 'terraform show'] },
    { sub: 'state rm|push|mv|replace-provider', unless: ['-dry-run'], class: 'destructive', reason: 'rewrites the state', yes: ['terraform state rm x'], no: ['terraform state list'] },
    { sub: 'force-unlock|taint|login|logout', class: 'destructive', reason: 'forces the state open, or marks for replacement', yes: ['terraform taint x'], no: ['terraform output'] },
    { sub: 'workspace delete', class: 'destructive', reason: 'deletes a workspace', yes: ['terraform workspace delete x'], no: ['terraform workspace list'] },
    { sub: 'plan|show|validate|output|providers|version|graph|fmt|get|help|metadata', unlessLine: '(^| )fmt(?!.*-check)|-out', class: 'read', reason: 'only looks',
      yes: ['terraform plan', 'terraform plan -destroy', 'terraform fmt -check'], no: ['terraform fmt', 'terraform plan -out=p'] },
    { sub: 'state|workspace list|show|pull', class: 'read', reason: 'only looks', yes: ['terraform state list'], no: ['terraform state rm a'] },
  ],
  otherwise: { class: 'write', reason: "changes the project's files or state" },
}

export const deploy: Family = {
  programs: ['pulumi', 'cdk', 'serverless', 'sls', 'sam', 'sst', 'eb', 'vercel', 'now', 'netlify', 'fly', 'flyctl', 'railway', 'heroku',
    'firebase', 'wrangler', 'amplify', 'render', 'packer', 'nomad', 'consul', 'vault', 'cap', 'capistrano', 'mina', 'kamal', 'dokku',
    'supabase', 'appwrite', 'caprover', 'infracost', 'tfsec', 'terrascan', 'flightctl', 'porter', 'garden', 'okteto', 'devspace', 'zeet', 'koyeb', 'northflank', 'pm2', 'waypoint', 'bosh', 'cf', 'fab', 'mup', 'deployctl', 'shopify', 'eas', 'turso', 'neonctl', 'pscale', 'railpack'],
  valueOptions: ['-s', '--stack', '--stage', '-a', '--app', '--project', '-p', '-i', '--inventory', '-e', '--env', '-C', '--cwd', '--profile', '-m', '-t'],
  guardsProduction: true,
  verbs: true,
  rules: [
    { sub: '** up|down|gc|submit|deploys|deploy|destroy|remove|rm|refresh|cancel|delete|terminate|kill|purge|rollback|promote|publish|release|unpublish|reset|disable|undeploy|teardown|repair|demote|restore|revoke|drop',
      unlessLine: '(--dry-?run|--check|--preview-only|--noprod|(^| )preview|--(stage|env|environment|target)[= ](dev|development|staging|stage|test|preview|local)\\b)',
      class: 'destructive', reason: 'deploys, or takes down what is deployed',
      yes: ['pulumi up', 'cdk deploy --all', 'fly apps destroy x', 'vercel remove x', 'firebase deploy'],
      no: ['pulumi preview', 'cdk diff', 'serverless deploy --stage dev', 'vercel ls', 'pulumi up --dry-run'] },
    { sub: '*:destroy|*:delete|*:reset|*:remove|*:unset|*:rollback|*:promote|*:set|*:kill|*:disable|*:revoke|*:off|*:clear|*:scale|*:copy|maintenance:on', class: 'destructive', reason: 'changes what is deployed',
      yes: ['heroku apps:destroy x', 'heroku pg:reset DATABASE', 'firebase functions:delete f'], no: ['heroku logs', 'firebase functions:log'] },
    { flags: ['--prod', '--production'], class: 'destructive', reason: 'deploys to production', yes: ['vercel --prod', 'netlify deploy --prod'], no: ['vercel build'] },
    { sub: 'secrets|secret|config|vars|env|tokens|policy|auth|token|acl set|put|add|rm|remove|unset|delete|import|write|revoke|create|enable', class: 'destructive', reason: 'changes secrets or permissions',
      yes: ['fly secrets set A=b', 'wrangler secret put X', 'vault policy write p f'], no: ['fly secrets list'] },
    { sub: 'db reset|push|drop', class: 'destructive', reason: 'changes a database', yes: ['supabase db reset'], no: ['supabase db diff'] },
    { sub: 'stack|state|kv|lease|operator|job|d1 rm|delete|unprotect|destroy|stop|revoke|seal|import', class: 'destructive', reason: 'removes or stops',
      yes: ['pulumi stack rm dev', 'vault kv delete a/b'], no: ['pulumi stack ls'] },
    { sub: '** list|ls|logs|log|status|preview|diff|whoami|version|info|describe|show|inspect|help|synth|validate|synthesize|output|events|ps|tail|about|doctor|history|jlist|read|get|breakdown|members', class: 'read', reason: 'only looks',
      yes: ['pulumi preview', 'fly status', 'cdk diff', 'pm2 logs'], no: ['fly launch'] },
  ],
  otherwise: { class: 'write', reason: 'changes what is deployed, or the project' },
}

/** Sources: ansible's, Salt's, Puppet's and Chef's command references. */
export const configurationManagers: Family = {
  programs: ['ansible', 'ansible-playbook', 'ansible-pull', 'salt', 'salt-call', 'salt-ssh', 'puppet', 'chef-client', 'chef-solo', 'knife', 'pyinfra', 'cf-agent'],
  valueOptions: ['-e', '--extra-vars', '-i', '--inventory', '-m', '--module-name', '-a', '--args', '-l', '--limit', '-t', '--tags', '-u', '--user', '-f', '--forks', '-o', '-r', '-j', '-E', '-c', '-M', '--skip-tags', '--private-key', '--key-file'],
  rules: [
    { flags: ['--check', '--syntax-check', '--list-tasks', '--list-hosts', '--list-tags', '-C', '--version', '--noop', '--why-run', '-W'], class: 'read', reason: 'only looks, or tries it',
      yes: ['ansible-playbook --check site.yml', 'puppet apply --noop a.pp'], no: ['ansible-playbook site.yml', "ansible-playbook site.yml -e 'x --check'"] },
    { line: '^\\S+ (-m|--module-name)[= ](ansible\\.builtin\\.)?(ping|setup|debug)$', class: 'read', reason: 'only looks', yes: ['ansible all -m ping'], no: ["ansible all -m ping -a 'x' -m shell"] },
    { sub: '* test.*|grains.*|pillar.get|pillar.items|status.*|disk.usage', class: 'read', reason: 'only looks', yes: ["salt '*' test.ping"], no: ["salt '*' cmd.run date"] },
    { sub: 'help|facts|resource|parser|module|config|node|cookbook|role|environment|client|data list|show|status|print|validate', class: 'read', reason: 'only looks', yes: ['knife node list', 'puppet config print'], no: ['knife node delete x'] },
  ],
  otherwise: { class: 'destructive', reason: 'changes this machine, or others' },
}

/** Programs that do nothing but to publish what they are given. */
export const publishers: Family = {
  programs: ['surge', 'gh-pages', 'np', 'ansible-galaxy', 'semantic-release', 'release-it', 'cosign', 'notation'],
  rules: [
    { line: '^(list|ls|whoami|verify|info|help|search|tree|install|init|download|triangulate|version|verify-\\S+|collection (list|install|build|init|verify|download)|role (list|install|init|info|search))( |$)|--dry-run|--no-publish', class: 'write', reason: 'publishes nothing',
      yes: ['surge list', 'ansible-galaxy install x', 'cosign verify i'], no: ['surge ./dist a.example', 'gh-pages -d dist'] },
  ],
  otherwise: { class: 'destructive', reason: 'publishes' },
}

/** Programs that only look at what is deployed or at how it is described. */
export const infrastructureReaders: Family = {
  programs: ['ansible-inventory', 'ansible-lint', 'ansible-doc', 'ansible-config', 'dive', 'grype', 'syft', 'kubectl-neat', 'terraform-docs', 'dockle', 'cfn-lint', 'conftest', 'opa', 'regula', 'steampipe', 'promtool', 'logcli', 'grpc_health_probe'],
  rules: [],
  otherwise: { class: 'read', reason: 'only looks' },
}
