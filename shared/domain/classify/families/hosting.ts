import type { Family } from '../family.ts'

const valueOptions = ['-R', '--repo', '-H', '--hostname', '-X', '--method', '-f', '-F', '-t', '--title', '-b', '--body', '-q', '--jq', '-L',
  '--limit', '-B', '--base', '--json', '-l', '--label', '--input', '-m']

/** Sources: `gh` and `glab` manuals. */
export const hosting: Family = {
  programs: ['gh', 'glab', 'hub', 'tea'],
  valueOptions,
  rules: [
    { sub: '* delete|delete-asset|remove|archive|unarchive|rename|transfer|purge', class: 'destructive', reason: 'deletes or takes away',
      yes: ['gh repo delete o/r --yes', 'gh release delete v1', 'glab issue delete 3', 'gh -R o/r repo archive'], no: ['gh pr list --label delete'] },
    { sub: 'secret|variable|ssh-key|gpg-key|deploy-key|token|org|ruleset|collaborator set|add|create|remove|import', class: 'destructive',
      reason: 'changes secrets or who may do what', yes: ['gh secret set X', 'gh ssh-key add k.pub'], no: ['gh secret list'] },
    { sub: 'repo deploy-key add|delete', class: 'destructive', reason: 'changes who may do what', yes: ['gh repo deploy-key add k'], no: ['gh repo view'] },
    { sub: 'auth token', class: 'destructive', reason: 'shows a credential', yes: ['gh auth token'], no: ['gh auth login'] },
    { sub: 'auth', arg: '^(logout|login|refresh|setup-git|switch)$', class: 'write', reason: 'changes who it is', yes: ['gh auth login'],
      no: ['gh auth status'] },
    { sub: 'auth status', flags: ['--show-token', '-t'], class: 'destructive', reason: 'shows a credential', yes: ['gh auth status -t'],
      no: ['gh auth status'] },
    { sub: 'repo edit', class: 'destructive', reason: 'changes what the repository is for others', yes: ['gh repo edit --visibility public'],
      no: ['gh repo view'] },
    { sub: 'repo sync', flags: ['--force'], class: 'destructive', reason: 'overwrites a branch', yes: ['gh repo sync --force'], no: ['gh repo sync'] },
    { sub: 'pr|mr merge', flags: ['--admin', '--delete-branch', '-d', '--remove-source-branch'], class: 'destructive',
      reason: 'merges past the rules, or deletes the branch', yes: ['gh pr merge 3 --admin'], no: ['gh pr merge 3 --squash'] },
    { sub: 'workflow|pipeline|ci run|trigger', line: 'deploy|prod|release|publish', class: 'destructive', reason: 'starts a deployment',
      yes: ['gh workflow run deploy.yml'], no: ['gh workflow run test.yml'] },
    { sub: 'alias set', line: '!|--shell|-s', class: 'destructive', reason: 'makes a later command run something else',
      yes: ["gh alias set x '!rm -rf x'"], no: ['gh alias list'] },
    { sub: 'api', line: '(?i:(^| )(-X ?|--method[= ])delete\\b)', class: 'destructive', reason: 'deletes', yes: ['gh api -X DELETE repos/o/r', 'glab api --method=delete x'],
      no: ['gh api repos/o/r/delete'] },
    { sub: 'api', line: '(?i:mutation.*(delete|remove|archive|transfer|revoke))', class: 'destructive', reason: 'deletes',
      yes: ["gh api graphql -f query='mutation { deleteRef }'"], no: ["gh api graphql -f query='query { x }'"] },
    { sub: 'api', line: '(?i:(-X ?|--method[= ])(put|patch|post)\\b.*(protection|collaborators|keys|secrets|hooks|permissions|visibility|rulesets)|(protection|collaborators|keys|secrets|hooks|permissions|rulesets).*(-X ?|--method[= ])(put|patch|post))',
      class: 'destructive', reason: 'changes who may do what', yes: ['gh api -X PUT repos/o/r/branches/main/protection'], no: ['gh api -X POST repos/o/r/issues'] },
    { sub: 'api', line: '^(?!.*(-X|--method|-f |-F |--field|--raw-field|--input)).*', class: 'read', reason: 'only asks', yes: ['gh api repos/o/r'],
      no: ['gh api -X POST x', 'gh api x -f a=b'] },
    { sub: '* list|view|status|diff|checks|show|verify|ls|get', class: 'read', reason: 'only looks',
      yes: ['gh pr list', 'gh run view 3 --log', 'glab mr diff 2'], no: ['gh pr create'] },
    { sub: 'status|search|browse|version|help|completion', class: 'read', reason: 'only looks', yes: ['gh search code x'], no: ['gh pr create'] },
    { sub: 'run watch|download', class: 'read', reason: 'only looks', yes: ['gh run watch 3'], no: ['gh run rerun 3'] },
  ],
  otherwise: { class: 'write', reason: 'changes something on the hosting site' },
}
